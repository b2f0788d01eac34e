using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Stage 2: one service and its slices → its ports with frontends and segments.</summary>
internal static class ServiceCompiler
{
    public static CompiledService Compile(ObjectName name, ServiceSnapshot service, ServiceSlices slices, NodeContext node)
    {
        if (!IsProxied(service))
            return new CompiledService(name, service, slices, [], []);
        var issues = new List<CompileIssue>();
        var found = new IssueCollector("Service", name, service.Uid);
        var addresses = ReadClusterIPs(service, node, found);
        var ports = ReadPorts(name, service, found);
        found.MoveTo(issues);
        var endpoints = new List<SliceEndpoints>(slices.Items.Length);
        foreach (var (sliceName, slice) in slices.Items)
            if (SliceEndpoints.Read(sliceName, slice, node, issues) is { } read)
                endpoints.Add(read);

        var compiled = new CompiledPort[ports.Count];
        for (var i = 0; i < compiled.Length; i++)
            compiled[i] = CompilePort(ports[i].Name, service.Uid ?? "", ports[i].Port, addresses, endpoints);
        return new CompiledService(name, service, slices, compiled, [.. issues]);
    }

    /// <summary>
    /// What kube-proxy leaves alone, in silence: services of another proxy (the label's mere presence counts) and headless ones (both are
    /// label selectors of its watches, cmd/kube-proxy/app/server.go), ExternalName, and services without a cluster IP (ShouldSkipService).
    /// </summary>
    private static bool IsProxied(ServiceSnapshot service) =>
        service.ProxyName is null
        && !service.HeadlessLabel
        && service.Type != "ExternalName"
        && !service.ClusterIPs.IsDefaultOrEmpty
        && service.ClusterIPs[0] is not (null or "" or "None");

    private static List<Addr> ReadClusterIPs(ServiceSnapshot service, NodeContext node, IssueCollector issues)
    {
        var addresses = new List<Addr>(service.ClusterIPs.Length);
        foreach (var text in service.ClusterIPs)
        {
            if (!AddrText.TryParse(text, out var address))
                issues.Add(IssueReason.ClusterIPInvalid, $"cluster IP {IssueCollector.Quote(text)} is not an address; it is not served");
            else if (AddrClass.Special(address) is { } special)
                issues.Add(IssueReason.ClusterIPNotAllowed, $"cluster IP {address} is {special}; it is not served");
            else if (addresses.Exists(a => a.IsIPv4 == address.IsIPv4))
                issues.Add(IssueReason.ClusterIPWrongFamily,
                    $"cluster IP {address} is a second {(address.IsIPv4 ? "IPv4" : "IPv6")} address; only the first of a family is served");
            else
                addresses.Add(address);
        }
        addresses.RemoveAll(a => !node.Serves(a.IsIPv4));
        return addresses;
    }

    private static List<(ServicePortName Name, U16Be Port)> ReadPorts(ObjectName service, ServiceSnapshot source, IssueCollector issues)
    {
        if (source.Ports.IsDefaultOrEmpty)
            return [];
        var ports = new List<(ServicePortName Name, U16Be Port)>(source.Ports.Length);
        foreach (var port in source.Ports)
        {
            if (!ProtocolText.TryParse(port.Protocol, out var protocol))
            {
                issues.Add(IssueReason.ProtocolUnknown, $"{Shown(port)} has the protocol {IssueCollector.Quote(port.Protocol)}; it is not served");
                continue;
            }
            if (port.Port is <= 0 or > ushort.MaxValue)
            {
                issues.Add(IssueReason.PortOutOfRange, $"{Shown(port)} is not 1 to 65535; it is not served");
                continue;
            }
            var name = new ServicePortName(service, port.Name ?? "", protocol);
            if (ports.Exists(p => p.Name == name))
                issues.Add(IssueReason.PortNameDuplicate, $"{Shown(port)} has the name and protocol of an earlier port; it is not served");
            else
                ports.Add((name, U16Be.FromHost((ushort)port.Port)));
        }
        if (ports.Count > 1)
            ports.Sort(static (a, b) => a.Name.CompareTo(b.Name));
        return ports;
    }

    private static string Shown(ServicePortSnapshot port) =>
        string.Create(CultureInfo.InvariantCulture, $"port {IssueCollector.Quote(port.Name)} ({port.Port})");

    private static CompiledPort CompilePort(
        ServicePortName name, string uid, U16Be port, List<Addr> addresses, List<SliceEndpoints> slices)
    {
        var frontends = new CompiledFrontend[addresses.Count];
        var segments = new CompiledSegment[addresses.Count];
        for (var i = 0; i < frontends.Length; i++)
        {
            var variant = addresses[i].IsIPv4 ? SegmentVariant.ClusterIPv4 : SegmentVariant.ClusterIPv6;
            frontends[i] = new CompiledFrontend(new SvcKey(addresses[i], port, name.Protocol, Scope.Internal), variant, SvcFlags.None, 0);
            segments[i] = new CompiledSegment(variant, EndpointChoice.Cluster(Candidates(name, addresses[i].IsIPv4, slices)));
        }
        Array.Sort(segments, static (a, b) => a.Variant.CompareTo(b.Variant));
        return new CompiledPort(name, uid, frontends, segments);
    }

    /// <summary>A slice's port belongs to the service port of its name and protocol; its number is the target, which pods may each have their own of.</summary>
    private static List<EndpointChoice.Candidate> Candidates(ServicePortName name, bool ipv4, List<SliceEndpoints> slices)
    {
        var candidates = new List<EndpointChoice.Candidate>();
        foreach (var slice in slices)
        {
            if (slice.IsIPv4 != ipv4)
                continue;
            foreach (var port in slice.Ports)
                if (port.Protocol == name.Protocol && port.Name == name.Port)
                    foreach (var endpoint in slice.Endpoints)
                        candidates.Add(new EndpointChoice.Candidate(endpoint, port.Port));
        }
        return candidates;
    }
}
