using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>The hostPorts of this node's pods as compiled, by name.</summary>
internal sealed record CompiledHostPorts(CompiledPort[] Ports, CompileIssue[] Issues)
{
    public static readonly CompiledHostPorts None = new([], []);
}

/// <summary>
/// hostPorts → frontends, one service port each: it is named after the pod, with a port name that no service may have. What comes from
/// outside keeps its source, as with the portmap plugin; the pod sees who asked.
/// </summary>
internal static class HostPortCompiler
{
    private static readonly Addr Loopback = Addr.FromBytes([127, 0, 0, 1]);
    private static readonly Addr AnyIPv4 = Addr.FromBytes([0, 0, 0, 0]);

    /// <summary>The pod named this address; a hostPort without hostIP is everywhere.</summary>
    public static bool AskedFor(string portName, Addr address) =>
        portName.StartsWith($"{ServicePortName.HostPortPrefix}{(address.IsIPv4 ? $"{address}" : $"[{address}]")}:",
            StringComparison.Ordinal);

    public static CompiledHostPorts Compile(NodeContext node)
    {
        if (node.HostPorts.IsDefaultOrEmpty)
            return CompiledHostPorts.None;
        var ports = new SortedDictionary<ServicePortName, CompiledPort>();
        var issues = new SortedDictionary<ObjectName, IssueCollector>();
        foreach (var hostPort in node.HostPorts.Order(Comparer<HostPort>.Create(InOrder)))
        {
            var pod = Name(hostPort.Pod);
            if (!issues.TryGetValue(pod, out var found))
                issues[pod] = found = new IssueCollector("Pod", pod, null);
            if (Trouble(hostPort) is { } trouble)
                found.Add(IssueReason.HostPortInvalid, $"{Shown(hostPort)} {trouble}; it is not served");
            else if (node.Serves(hostPort.PodAddress.IsIPv4)
                && new ServicePortName(pod, Shown(hostPort), hostPort.Protocol) is var name
                && !ports.TryAdd(name, CompilePort(name, hostPort, node)))
                found.Add(IssueReason.HostPortDuplicate, $"{Shown(hostPort)} is declared twice; it is served once");
        }
        var all = new List<CompileIssue>();
        foreach (var found in issues.Values)
            found.MoveTo(all);
        return new CompiledHostPorts([.. ports.Values], [.. all]);
    }

    private static CompiledPort CompilePort(ServicePortName name, HostPort hostPort, NodeContext node)
    {
        var ipv4 = hostPort.PodAddress.IsIPv4;
        var variant = ipv4 ? SegmentVariant.LocalIPv4 : SegmentVariant.LocalIPv6;
        var frontends = new List<CompiledFrontend>();
        foreach (var address in Addresses(hostPort, node))
        {
            var key = new SvcKey(address, U16Be.FromHost(hostPort.Port), hostPort.Protocol, Scope.Internal);
            frontends.Add(new CompiledFrontend(key, FrontendKind.HostPort, variant, SvcFlags.None, 0));
            if (!IsLoopback(address))
                frontends.Add(new CompiledFrontend(key with { Scope = Scope.External }, FrontendKind.HostPort, variant, SvcFlags.KeepSource,
                    0));
        }
        var backend = new DesiredBackend(hostPort.PodAddress, U16Be.FromHost(hostPort.PodPort), BackendFlags.Local);
        return new CompiledPort(name, "", [.. frontends], frontends.Count == 0 ? [] : [new CompiledSegment(variant, [backend], [])]);
    }

    private static IEnumerable<Addr> Addresses(HostPort hostPort, NodeContext node)
    {
        if (hostPort.HostAddress is { } only && !IsAny(only))
            return [only];
        var ipv4 = hostPort.PodAddress.IsIPv4;
        var own = (node.NodeAddresses.IsDefault ? [] : node.NodeAddresses).Where(a => a.IsIPv4 == ipv4 && AddrClass.Special(a) is null);
        return ipv4 ? own.Append(Loopback).Distinct() : own.Distinct();
    }

    private static string? Trouble(HostPort hostPort)
    {
        if (hostPort.Port == 0 || hostPort.PodPort == 0)
            return "maps from or to port 0";
        if (hostPort.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp or IpProtocol.Sctp))
            return $"has the protocol {(byte)hostPort.Protocol}";
        if (AddrClass.Special(hostPort.PodAddress) is { } special)
            return $"maps to {hostPort.PodAddress}, {special}";
        if (hostPort.HostAddress is not { } host || IsAny(host) || IsLoopback(host))
            return hostPort.HostAddress is { } given && given.IsIPv4 != hostPort.PodAddress.IsIPv4 && !IsAny(given)
                ? WrongFamily(given, hostPort) : null;
        if (AddrClass.Special(host) is { } unusable)
            return $"is on {host}, {unusable}";
        return host.IsIPv4 != hostPort.PodAddress.IsIPv4 ? WrongFamily(host, hostPort) : null;
    }

    private static string WrongFamily(Addr host, HostPort hostPort) =>
        $"maps {host} to {hostPort.PodAddress}, which is of the other family";

    private static bool IsAny(Addr address) => address == default || address == AnyIPv4;

    /// <summary>Of IPv4 only: the kernel routes nothing from ::1 to elsewhere, and portmap does not offer it either.</summary>
    private static bool IsLoopback(Addr address) => address.IsIPv4 && address.W3.Host >> 24 == 127;

    private static string Shown(HostPort hostPort)
    {
        var ipv4 = hostPort.PodAddress.IsIPv4;
        return hostPort.HostAddress is { } only && !IsAny(only)
            ? string.Create(CultureInfo.InvariantCulture,
                $"{ServicePortName.HostPortPrefix}{(only.IsIPv4 ? $"{only}" : $"[{only}]")}:{hostPort.Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{ServicePortName.HostPortPrefix}{(ipv4 ? "0.0.0.0" : "[::]")}:{hostPort.Port}");
    }

    private static ObjectName Name(string? pod)
    {
        var slash = pod?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        return slash < 0 ? new ObjectName("", pod ?? "") : new ObjectName(pod![..slash], pod[(slash + 1)..]);
    }

    /// <summary>The context's order means nothing; of two that say the same, the result must not depend on it.</summary>
    private static int InOrder(HostPort a, HostPort b)
    {
        var c = string.CompareOrdinal(a.Pod, b.Pod);
        if (c == 0) c = a.PodAddress.CompareTo(b.PodAddress);
        if (c == 0) c = a.Protocol.CompareTo(b.Protocol);
        if (c == 0) c = a.Port.CompareTo(b.Port);
        if (c == 0) c = Nullable.Compare(a.HostAddress, b.HostAddress);
        return c != 0 ? c : a.PodPort.CompareTo(b.PodPort);
    }
}
