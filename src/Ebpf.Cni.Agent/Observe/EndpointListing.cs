using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Pods' interfaces as the kernel's table has them, beside their records on disk: where the two differ, it shows. Pure.</summary>
internal static class EndpointListing
{
    public static EndpointsAnswer Of(
        ImmutableArray<PodEndpoint> kernel, IReadOnlyCollection<EndpointRecord> records, IReadOnlyDictionary<int, string> devices,
        ObserveQuery query)
    {
        // Half-made ones are not expected in the kernel.
        var recorded = records.Where(r => r.Ready).ToDictionary(r => r.Number);
        var lines = kernel.Select(e => Held(e, recorded.GetValueOrDefault(e.Id), devices))
            .Concat(recorded.Values.ExceptBy(kernel.Select(e => e.Id), r => r.Number).Select(Missing))
            .Where(l => query.Namespace is null || l.Pod.StartsWith(query.Namespace + "/", StringComparison.Ordinal))
            .OrderBy(l => l.Pod, StringComparer.Ordinal).ThenBy(l => l.Id).ToList();
        return new EndpointsAnswer { Total = lines.Count, Endpoints = [.. lines.Take(query.Limit ?? ObservePaths.LimitDefault)] };
    }

    private static EndpointLine Held(PodEndpoint endpoint, EndpointRecord? record, IReadOnlyDictionary<int, string> devices)
    {
        var device = devices.GetValueOrDefault(endpoint.Ifindex, "");
        return new EndpointLine
        {
            Id = endpoint.Id,
            Pod = record?.Pod ?? "",
            Addresses = [.. Sorted(endpoint.Addresses).Select(a => a.ToString())],
            Interface = device,
            Ifindex = endpoint.Ifindex,
            Mac = endpoint.PodMac.ToString(),
            Limited = record?.Bandwidth is { IngressRate: > 0 } or { EgressRate: > 0 },
            State = record is null ? "unknown"
                : device.Length == 0 ? "no device"
                : endpoint.Addresses.ToHashSet().SetEquals(Parse(record)) ? "ok"
                : "different",
        };
    }

    private static EndpointLine Missing(EndpointRecord record) =>
        new() { Id = record.Number, Pod = record.Pod, Addresses = record.Addresses, State = "missing" };

    private static IEnumerable<Addr> Sorted(IEnumerable<Addr> addresses) => addresses.OrderByDescending(a => a.IsIPv4).ThenBy(a => a);

    private static IEnumerable<Addr> Parse(EndpointRecord record) =>
        record.Addresses.Select(t => IPAddress.TryParse(t, out var a) ? Addr.From(a) : default);
}
