using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// Which pod has which port of the node. The scheduler keeps two pods that ask for the same one apart; where two are here all the same (one
/// was not scheduled, or is terminating), the first keeps it until it is gone, and the other is named in an issue.
/// </summary>
public static class HostPortTable
{
    public const string Conflict = "HostPortConflict";

    public static (ImmutableArray<HostPort> Ports, ImmutableArray<CompileIssue> Issues) Of(IEnumerable<EndpointRecord> endpoints)
    {
        var ports = new List<HostPort>();
        var issues = ImmutableArray.CreateBuilder<CompileIssue>();
        // Numbers are given in the order of ADDs.
        foreach (var endpoint in endpoints.Where(e => e.Ready && e.PortMappings.Count > 0).OrderBy(e => e.Number))
        {
            var refused = new List<string>();
            foreach (var wanted in endpoint.PortMappings.SelectMany(m => Of(endpoint, m)))
            {
                if (ports.Contains(wanted))
                    continue;
                if (ports.Find(p => Overlap(p, wanted)) is { } holder)
                    refused.Add($"{wanted.Port}/{ProtocolText.Of(wanted.Protocol)} is used by pod {holder.Pod}");
                else
                    ports.Add(wanted);
            }

            if (refused.Count > 0)
                issues.Add(Issue(endpoint, refused.Distinct()));
        }

        return ([.. ports], issues.ToImmutable());
    }

    private static IEnumerable<HostPort> Of(EndpointRecord endpoint, PortMapping mapping)
    {
        var host = mapping.HostIP.Length == 0 ? null : IPAddress.Parse(mapping.HostIP);
        if (host is { IsIPv4MappedToIPv6: true })
            host = host.MapToIPv4();
        foreach (var address in endpoint.Addresses.Select(Addr.Parse))
            if (host is null || host.AddressFamily == address.Family)
                yield return new HostPort(
                    NameOf(endpoint), host is null || IsAny(host) ? null : Addr.From(host), mapping.HostPort, mapping.Number!.Value,
                    address, mapping.ContainerPort);
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private static bool Overlap(HostPort a, HostPort b) =>
        a.Port == b.Port && a.Protocol == b.Protocol && a.PodAddress.Family == b.PodAddress.Family
        && (a.HostAddress is null || b.HostAddress is null || a.HostAddress == b.HostAddress);

    private static string NameOf(EndpointRecord endpoint) => endpoint.Pod.Length > 0 ? endpoint.Pod : endpoint.ContainerId;

    private static CompileIssue Issue(EndpointRecord endpoint, IEnumerable<string> refused)
    {
        var name = endpoint.Pod.Split('/', 2) is [var space, var pod]
            ? new ObjectName(space, pod) : new ObjectName("", endpoint.ContainerId);
        return new CompileIssue("Pod", name, endpoint.PodUid, Conflict, $"hostPorts not served: {string.Join(", ", refused)}.");
    }
}
