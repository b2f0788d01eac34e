using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures.Measured;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>How many times a packet of an established connection is looked up in maps, by the objects that count that.</summary>
public sealed class LookupCountTests : IDisposable
{
    /// <summary>Of the same packet. The state of a connection is written at most once a second, which is a lookup more.</summary>
    private const int Repeat = 8;

    private readonly RoutedNode _node;
    private readonly PacketBench _bench;

    public static TheoryData<bool, bool> Ways { get; } = new() { { false, false }, { false, true }, { true, false }, { true, true } };

    public LookupCountTests()
    {
        Requires.Root();
        _node = new RoutedNode();
        _bench = new PacketBench();
    }

    [Theory, InlineData(false), InlineData(true)]
    public void From_pod_to_pod_on_a_node(bool v6) => Compare("pod to pod", 4, tunnel: false, PacketCases.PodToPod(_node, v6));

    [Theory, InlineData(false), InlineData(true)]
    public void From_pod_to_pod_through_a_tunnel(bool v6) => Compare(
        "pod to remote pod through the tunnel, both ends", 9, tunnel: true,
        PacketCases.PodToRemote(_node, tunnel: true, v6), PacketCases.IntoTunnel(_node, v6), PacketCases.Encapsulated(_node), PacketCases.OutOfTunnel(_node, v6));

    [Theory, MemberData(nameof(Ways))]
    public void From_outside_to_a_remote_backend_by_TCP(bool tunnel, bool v6) =>
        Compare($"NodePort to remote backend {(tunnel ? "through the tunnel" : "by the routes")}, TCP", 5, tunnel, PacketCases.NodePortToRemote(_node, IpProtocol.Tcp, v6, tunnel));

    [Theory, MemberData(nameof(Ways))]
    public void From_outside_to_a_remote_backend_by_UDP(bool tunnel, bool v6) =>
        Compare($"NodePort to remote backend {(tunnel ? "through the tunnel" : "by the routes")}, UDP", 6, tunnel, PacketCases.NodePortToRemote(_node, IpProtocol.Udp, v6, tunnel));

    [Fact]
    public void The_first_packet_of_a_flow_needs_more_than_those_after_it()
    {
        using var objects = Load(tunnel: false);
        var known = PacketCases.NodePortToRemote(_node, IpProtocol.Tcp, v6: false);
        var first = Count(objects, PacketCases.NewFlow(_node));
        _node.Namespace.Run(() => _bench.Establish(objects, known));
        Assert.True(first > Count(objects, known), $"{first} lookups for the first packet");
    }

    public void Dispose()
    {
        _bench.Dispose();
        _node.Dispose();
    }

    private void Compare(string what, ulong bar, bool tunnel, params PacketCase[] steps)
    {
        using var objects = Load(tunnel);
        foreach (var step in steps)
            _node.Namespace.Run(() => _bench.Establish(objects, step));
        var counts = steps.Select(step => Count(objects, step)).ToList();
        var sum = counts.Aggregate((a, b) => a + b);
        var parts = counts.Count > 1 ? $" ({string.Join(" + ", counts)})" : "";
        Console.WriteLine($"figure: map lookups, {what}, {(steps[0].Packet.IsV6 ? "IPv6" : "IPv4")}: {sum}{parts}, at most {bar}");
        Assert.InRange(sum, 1ul, bar);
    }

    private TcObjects Load(bool tunnel)
    {
        var objects = new TcObjects(new CurrentLayout("counted"));
        PacketCases.Fill(objects, _node, tunnel);
        return objects;
    }

    /// <summary>The least of several packets.</summary>
    private ulong Count(TcObjects objects, PacketCase step) => _node.Namespace.Run(() => Enumerable.Range(0, Repeat).Min(_ =>
    {
        var before = Lookups(objects);
        _bench.Run(objects, step);
        return Lookups(objects) - before;
    }));

    private static ulong Lookups(TcObjects objects)
    {
        var sum = 0ul;
        foreach (var counter in objects.Globals(".data.counted"))
            using (counter)
                sum += counter.TryLookup(0u, out ulong count) ? count : 0;
        return sum;
    }
}
