using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>Plain clusters of any size.</summary>
internal static class Synthetic
{
    public static ClusterSnapshot Cluster(int services, int endpoints)
    {
        var all = ImmutableSortedDictionary.CreateBuilder<ObjectName, ServiceSnapshot>();
        var slices = ImmutableSortedDictionary.CreateBuilder<ObjectName, EndpointSliceSnapshot>();
        for (var i = 0; i < services; i++)
        {
            var service = Service(i);
            var slice = Slice(i, endpoints);
            all.Add(service.Name, service);
            slices.Add(slice.Name, slice);
        }
        return new ClusterSnapshot { Services = all.ToImmutable(), EndpointSlices = slices.ToImmutable() };
    }

    public static ServiceSnapshot Service(int i) => new()
    {
        Name = new ObjectName($"ns-{i % 50}", $"service-{i}"),
        Uid = $"uid-{i}",
        ClusterIPs = [$"10.96.{i / 250}.{i % 250 + 1}"],
        Ports = [new ServicePortSnapshot("http", "TCP", 80)],
    };

    public static EndpointSliceSnapshot Slice(int i, int endpoints, bool ready = true) => new()
    {
        Name = new ObjectName($"ns-{i % 50}", $"service-{i}-x7k2p"),
        ServiceName = $"service-{i}",
        Ports = [new EndpointPortSnapshot("http", "TCP", 8080)],
        Endpoints = [.. Enumerable.Range(0, endpoints).Select(e => new EndpointSnapshot(
            [$"10.{128 + (i * endpoints + e) / 65536 % 64}.{(i * endpoints + e) / 256 % 256}.{(i * endpoints + e) % 256}"],
            ready, ready, false, $"node-{e % 2}"))],
    };
}
