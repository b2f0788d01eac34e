using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// A cluster that changes at random, from pools so small that names, addresses and ports meet often. <paramref name="garbage"/> is the
/// share of fields that hold nonsense, nulls and missing arrays included.
/// </summary>
internal sealed class RandomCluster(Random random, double garbage = 0)
{
    private static readonly string?[] Nonsense =
        [null, "", " ", "None", "none", "\0", "🦜", "a/b:c", "-1", "10.0.0.256", "1.2.3", "::ffff:1.2.3.4", "127.0.0.1", "fe80::1%eth0",
            "0x7f.1", "[::1]",
         "::", "::1", "255.255.255.255", "10.0.0.0/8", "0.0.0.0/0", "::/0", "10.244.0.0/-1", "10.244.0.0/999", "/", "1.2.3.4/",
         new string('9', 5000)];

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
                Cluster = Cluster with { Nodes = random.Next(3) == 0
                    ? Cluster.Nodes.Remove(node) : Cluster.Nodes.SetItem(node, Node(node)) };
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

    /// <summary>A node that has seen everything that the cluster may ask of it.</summary>
    public static NodeContext NodeOf(Random random, string name) => new(name, random.Next(8) != 0, random.Next(8) != 0)
    {
        NodePortAddresses = [.. new[] { "192.168.0.1", "203.0.113.1", "fd00::1" }.Take(random.Next(4)).Select(Addr.Parse)],
        NodeAddresses = [.. new[] { "192.168.0.1", "203.0.113.1", "fd00::1", "10.96.0.3", "fd00:96::3" }.Take(random.Next(6))
            .Select(Addr.Parse).Order()],
        NodeServers = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new NodeServer(
            Addr.Parse(random.Next(2) == 0 ? "10.96.0.3" : "fd00:96::3"), (ushort)(random.Next(2) == 0 ? 53 : 80),
            random.Next(2) == 0 ? IpProtocol.Udp : IpProtocol.Tcp)).Distinct().Order()],
        LocalhostNodePorts = random.Next(3) != 0,
        ExternalIPs = random.Next(5) != 0,
        MasqueradeExempt = [.. new[] { "10.0.0.0/8", "::/0", "0.0.0.0/0" }.Take(random.Next(4)).Select(e => IPNetwork.Parse(e))],
        HostPorts = [.. Enumerable.Range(0, random.Next(4)).Select(i => HostPort(random, i))],
        Routing = RoutingOf(random),
    };

    public static RoutingContext RoutingOf(Random random) => new()
    {
        Mode = (RoutingMode)random.Next(3),
        Underlay = (TunnelUnderlay)random.Next(3),
        TunnelPort = (ushort)(random.Next(2) == 0 ? 0 : 8080),
        OnLink = [.. new[] { "192.168.0.0/30", "192.168.0.0/24", "fd00::/126", "fd00::/64" }.Where(_ => random.Next(3) == 0)
            .Select(e => IPNetwork.Parse(e))],
        InternalIPs = [.. new[] { "fd00::1", "192.168.0.1" }.Where(_ => random.Next(3) == 0).Select(Addr.Parse)],
    };

    private static HostPort HostPort(Random random, int i)
    {
        var ipv4 = random.Next(2) == 0;
        string?[] hosts = ipv4 ? [null, "0.0.0.0", "127.0.0.1", "192.168.0.1", "fd00::1"] : [null, "::", "fd00::1", "192.168.0.1"];
        return new HostPort(
            $"ns-{i % 2}/service-{i}",
            hosts[random.Next(hosts.Length)] is { } host ? Addr.Parse(host) : null,
            (ushort)(random.Next(12) == 0 ? 0 : random.Next(2) == 0 ? 30000 + random.Next(6) : 80 + random.Next(3)),
            random.Next(3) == 0 ? IpProtocol.Udp : IpProtocol.Tcp,
            Addr.Parse(ipv4 ? $"10.244.0.{random.Next(2, 9)}" : $"fd00:244::{random.Next(2, 9)}"),
            8080);
    }

    private ServiceSnapshot Service(ObjectName name)
    {
        var type = random.Next(13) switch { 0 => "ExternalName", < 5 => "ClusterIP", < 8 => "NodePort", _ => "LoadBalancer" };
        return new ServiceSnapshot
        {
            Name = name,
            Uid = Text("uid"),
            Type = Text(type),
            ClusterIPs = Array(1, 2, i => Text(i == 0 ? $"10.96.0.{random.Next(1, 15)}" : $"fd00:96::{random.Next(1, 15):x}")),
            Ports = Array(1, 3, i => new ServicePortSnapshot(
                Text($"port-{i}"), Text(random.Next(3) == 0 ? "UDP" : "TCP"), Port(80 + random.Next(3)),
                Port(random.Next(3) == 0 ? 0 : 30000 + random.Next(30)))),
            ExternalIPs = Array(0, 2, _ => Text(random.Next(3) == 0 ? $"2001:db8::{random.Next(2, 9)}" : $"203.0.113.{random.Next(1, 9)}")),
            LoadBalancerIPs = Array(
                0, 2, _ => Text(random.Next(3) == 0 ? $"2001:db8::{random.Next(2, 9)}" : $"203.0.113.{random.Next(5, 16)}")),
            LoadBalancerSourceRanges = Array(0, 2, _ =>
                Text(random.Next(3) == 0 ? $"2001:db8::/{random.Next(129)}" : $"192.168.0.0/{random.Next(33)}")),
            InternalLocal = random.Next(3) == 0,
            ExternalLocal = random.Next(3) == 0,
            HealthCheckNodePort = Port(random.Next(2) == 0 ? 0 : 32000 + random.Next(4)),
            AffinitySeconds = Port(random.Next(2) == 0 ? 0 : random.Next(1, 86401)),
            UnknownPolicy = Bad ? Text("") : null,
            ProxyName = random.Next(15) == 0 ? "other" : null,
            HeadlessLabel = random.Next(15) == 0,
        };
    }

    private EndpointSliceSnapshot Slice(ObjectName name)
    {
        var ipv4 = random.Next(2) == 0;
        var hints = random.Next(3);
        var service = 2 * random.Next(6) + (name.Namespace == "ns-1" ? 1 : 0); // one of its namespace
        return new EndpointSliceSnapshot
        {
            Name = name,
            Uid = Text("uid"),
            ServiceName = Text($"service-{service}"),
            AddressType = Text(ipv4 ? "IPv4" : "IPv6"),
            ProxyName = random.Next(20) == 0 ? "other" : null,
            HeadlessLabel = random.Next(20) == 0,
            Ports = Array(1, 3, i =>
                new EndpointPortSnapshot(Text($"port-{i}"), Text(random.Next(3) == 0 ? "UDP" : "TCP"), Port(8080 + random.Next(2)))),
            Endpoints = Array(0, 5, _ => Endpoint(ipv4, hints)),
        };
    }

    /// <param name="ipv4">Of the slice.</param>
    /// <param name="hints">0: none, 1: zones, 2: zones and nodes; now and then one lacks, which is what decides.</param>
    private EndpointSnapshot Endpoint(bool ipv4, int hints)
    {
        var (ready, at) = (random.Next(3) != 0, random.Next(3));
        var address = ipv4 ? $"10.244.{random.Next(2)}.{random.Next(2, 9)}" : $"fd00:244::{random.Next(2, 9):x}";
        return new EndpointSnapshot(
            Array(1, 1, _ => Text(address)), ready, ready || random.Next(2) == 0, random.Next(3) == 0, Text($"node-{at}"))
        {
            HintNodes = hints < 2 || random.Next(10) == 0 ? [] : Array(1, 1, _ => Text($"node-{at}")),
            HintZones = hints < 1 || random.Next(10) == 0 ? [] : Array(1, 2, _ => Text($"zone-{random.Next(2)}")),
        };
    }

    private NodeSnapshot Node(string name) => new()
    {
        Name = name,
        Uid = Text("uid"),
        PodCidrs = Array(1, 2, i => Text(i == 0 ? $"10.244.{random.Next(5)}.0/{random.Next(22, 26)}" : $"fd00:244:{random.Next(5)}::/64")),
        InternalIPs = Array(1, 2, i => Text(i == 0 ? $"192.168.0.{random.Next(1, 9)}" : $"fd00::{random.Next(1, 9)}")),
        ExternalIPs = Array(0, 1, _ => Text($"203.0.113.{random.Next(1, 9)}")),
        Zone = Text(random.Next(4) == 0 ? "" : $"zone-{random.Next(2)}"),
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
