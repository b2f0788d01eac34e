using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// A cluster that changes at random, from pools so small that names, addresses and ports meet often. <paramref name="garbage"/> is the share of
/// fields that hold nonsense, nulls and missing arrays included.
/// </summary>
internal sealed class RandomCluster(Random random, double garbage = 0)
{
    private static readonly string?[] Nonsense =
        [null, "", " ", "None", "none", "\0", "🦜", "a/b:c", "-1", "10.0.0.256", "1.2.3", "::ffff:1.2.3.4", "127.0.0.1", "fe80::1%eth0", "0x7f.1", "[::1]",
         "::", "::1", "255.255.255.255", "10.0.0.0/8", "0.0.0.0/0", "::/0", "10.244.0.0/-1", "10.244.0.0/999", "/", "1.2.3.4/", new string('9', 5000)];

    public ClusterSnapshot Cluster { get; private set; } = ClusterSnapshot.Empty;

    /// <summary>Changes one to three objects.</summary>
    public void Step()
    {
        for (var i = random.Next(1, 4); i > 0; i--)
            ChangeOne();
    }

    public void Grow(int steps)
    {
        for (var i = 0; i < steps; i++)
            ChangeOne();
    }

    private void ChangeOne()
    {
        switch (random.Next(8))
        {
            case 0:
                Cluster = Cluster with { Services = Cluster.Services.Remove(Name("service", 12)) };
                break;
            case 1:
                Cluster = Cluster with { EndpointSlices = Cluster.EndpointSlices.Remove(Name("slice", 24)) };
                break;
            case 2:
                var node = $"node-{random.Next(6)}";
                Cluster = Cluster with { Nodes = random.Next(3) == 0 ? Cluster.Nodes.Remove(node) : Cluster.Nodes.SetItem(node, Node(node)) };
                break;
            case 3 or 4:
                var service = Service(Name("service", 12));
                Cluster = Cluster with { Services = Cluster.Services.SetItem(service.Name, service) };
                break;
            default:
                var slice = Slice(Name("slice", 24));
                Cluster = Cluster with { EndpointSlices = Cluster.EndpointSlices.SetItem(slice.Name, slice) };
                break;
        }
    }

    private ServiceSnapshot Service(ObjectName name) => new()
    {
        Name = name,
        Uid = Text("uid"),
        Type = Text(random.Next(12) == 0 ? "ExternalName" : "ClusterIP"),
        ClusterIPs = Array(1, 2, i => Text(i == 0 ? $"10.96.0.{random.Next(1, 15)}" : $"fd00:96::{random.Next(1, 15):x}")),
        Ports = Array(1, 3, i => new ServicePortSnapshot(Text($"port-{i}"), Text(random.Next(3) == 0 ? "UDP" : "TCP"), Port(80 + random.Next(3)))),
        ProxyName = random.Next(15) == 0 ? "other" : null,
        HeadlessLabel = random.Next(15) == 0,
    };

    private EndpointSliceSnapshot Slice(ObjectName name)
    {
        var ipv4 = random.Next(2) == 0;
        return new EndpointSliceSnapshot
        {
            Name = name,
            Uid = Text("uid"),
            ServiceName = Text($"service-{random.Next(12)}"),
            AddressType = Text(ipv4 ? "IPv4" : "IPv6"),
            Ports = Array(1, 3, i => new EndpointPortSnapshot(Text($"port-{i}"), Text(random.Next(3) == 0 ? "UDP" : "TCP"), Port(8080 + random.Next(2)))),
            Endpoints = Array(0, 5, _ => Endpoint(ipv4)),
        };
    }

    private EndpointSnapshot Endpoint(bool ipv4)
    {
        var ready = random.Next(3) != 0;
        var address = ipv4 ? $"10.244.{random.Next(2)}.{random.Next(2, 9)}" : $"fd00:244::{random.Next(2, 9):x}";
        return new EndpointSnapshot(
            Array(1, 1, _ => Text(address)), ready, ready || random.Next(2) == 0, random.Next(3) == 0, Text($"node-{random.Next(3)}"));
    }

    private NodeSnapshot Node(string name) => new()
    {
        Name = name,
        Uid = Text("uid"),
        PodCidrs = Array(1, 2, i => Text(i == 0 ? $"10.244.{random.Next(5)}.0/{random.Next(22, 26)}" : $"fd00:244:{random.Next(5)}::/64")),
        InternalIPs = Array(1, 2, i => Text(i == 0 ? $"192.168.0.{random.Next(1, 9)}" : $"fd00::{random.Next(1, 9)}")),
    };

    private ObjectName Name(string kind, int count)
    {
        var i = random.Next(count);
        return new ObjectName($"ns-{i % 2}", $"{kind}-{i}");
    }

    private bool Bad => garbage > 0 && random.NextDouble() < garbage;

    private string Text(string good) => Bad ? Nonsense[random.Next(Nonsense.Length)]! : good;

    private int Port(int good) => Bad ? random.Next(int.MinValue, int.MaxValue) : good;

    private ImmutableArray<T> Array<T>(int least, int most, Func<int, T> make)
    {
        if (Bad)
            return random.Next(2) == 0 ? default : [];
        var items = ImmutableArray.CreateBuilder<T>();
        for (var i = random.Next(least, most + 1); i > 0; i--)
            items.Add(make(items.Count));
        return items.ToImmutable();
    }
}
