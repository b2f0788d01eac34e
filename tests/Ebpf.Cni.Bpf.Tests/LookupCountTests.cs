using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Fixtures.Measured;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Map lookups for a packet of an established connection, counted by instrumented objects (`make -C bpf counted`).</summary>
public sealed class LookupCountTests : IDisposable
{
    /// <summary>Runs of the same packet; the minimum counts. Once a second a packet refreshes its connection: one lookup more.</summary>
    private const int Repeat = 8;

    private readonly MeasuredNode _node;
    private readonly PacketBench _bench;

    public static TheoryData<bool, bool> Ways { get; } = new() { { false, false }, { false, true }, { true, false }, { true, true } };

    public LookupCountTests()
    {
        Requires.Root();
        _node = new MeasuredNode();
        _bench = new PacketBench();
    }

    [Theory, InlineData(false), InlineData(true)]
    public void From_pod_to_pod_on_a_node(bool v6) => Compare("pod to pod", 4, tunnel: false, PacketCases.PodToPod(_node, v6));

    [Theory, InlineData(false), InlineData(true)]
    public void From_pod_to_pod_through_a_tunnel(bool v6) => Compare(
        "pod to remote pod through the tunnel, both ends", 9, tunnel: true,
        PacketCases.PodToRemote(_node, tunnel: true, v6), PacketCases.IntoTunnel(_node, v6),
        PacketCases.Encapsulated(_node), PacketCases.OutOfTunnel(_node, v6));

    [Theory, MemberData(nameof(Ways))]
    public void From_outside_to_a_remote_backend_by_TCP(bool tunnel, bool v6) =>
        Compare($"NodePort to remote backend, {Way(tunnel)}, TCP", 5, tunnel,
            PacketCases.NodePortToRemote(_node, IpProtocol.Tcp, v6, tunnel));

    [Theory, MemberData(nameof(Ways))]
    public void From_outside_to_a_remote_backend_by_UDP(bool tunnel, bool v6) =>
        Compare($"NodePort to remote backend, {Way(tunnel)}, UDP", 6, tunnel,
            PacketCases.NodePortToRemote(_node, IpProtocol.Udp, v6, tunnel));

    [Fact]
    public void The_first_packet_of_a_flow_needs_more_than_those_after_it()
    {
        using var objects = Load(tunnel: false);
        var known = PacketCases.NodePortToRemote(_node, IpProtocol.Tcp, v6: false);
        var first = Count(objects, PacketCases.NewFlow(_node));
        _node.Namespace.Run(() => _bench.Establish(objects, known));
        Assert.True(first > Count(objects, known), $"{first} lookups for the first packet");
    }

    [Fact]
    public void A_packet_that_is_dropped_or_goes_elsewhere_is_not_counted()
    {
        using var objects = Load(tunnel: false);
        var right = PacketCases.PodToPod(_node, v6: false);
        Count(objects, right);
        var forged = right with { Packet = right.Packet with { Src = Address.Remote4 } };
        Assert.Contains("verdict", Assert.Throws<InvalidOperationException>(() => Count(objects, forged)).Message,
            StringComparison.Ordinal);
        foreach (var other in new[] { right with { Port = 1 }, right with { Source = Address.Vip4 }, right with { Frame = Macs.Client } })
            Assert.Throws<InvalidOperationException>(() => Count(objects, other));
    }

    public void Dispose()
    {
        _bench.Dispose();
        _node.Dispose();
    }

    private static string Way(bool tunnel) => tunnel ? "tunnel" : "direct";

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
        var objects = new TcObjects(new CurrentLayout("counted"), connections: 4096);
        PacketCases.Fill(objects, _node, tunnel);
        return objects;
    }

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
