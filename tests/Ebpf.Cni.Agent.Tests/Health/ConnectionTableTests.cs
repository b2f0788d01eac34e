using System.Net;
using Ebpf.Cni.Agent.Health;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Health;

/// <summary>Who goes when a port has all the connections it may have. Never the one that comes.</summary>
public class ConnectionTableTests
{
    private static readonly IPAddress
        Kubelet = IPAddress.Parse("192.0.2.1"), Pod = IPAddress.Parse("10.1.0.5"), Other = IPAddress.Parse("fd00::5");

    private readonly List<string> _evicted = [];
    private readonly ConnectionTable _table = new(4);

    [Fact]
    public void The_one_that_has_been_silent_longest_goes()
    {
        var first = Enter(Pod, "first");
        Enter(Pod, "second");
        Enter(Pod, "third");
        Enter(Pod, "fourth");
        first.Begin();
        first.End();
        Enter(Pod, "fifth");
        Enter(Pod, "sixth");
        Assert.Equal(["second", "third"], _evicted);
        Assert.Equal(4, _table.Count);
    }

    [Fact]
    public void Whoever_holds_most_displaces_its_own()
    {
        Enter(Kubelet, "probe");
        Enter(Other, "other");
        for (var i = 0; i < 100; i++)
            Enter(Pod, $"flood {i}");
        Assert.Equal(98, _evicted.Count);
        Assert.All(_evicted, e => Assert.StartsWith("flood", e, StringComparison.Ordinal));
    }

    [Fact]
    public void An_address_is_the_same_in_both_notations()
    {
        Enter(Kubelet, "probe");
        Enter(Pod, "1");
        Enter(Pod.MapToIPv6(), "2");
        Enter(Other, "other");
        Enter(Kubelet.MapToIPv6(), "second probe");
        Assert.Equal(["1"], _evicted);
    }

    [Fact]
    public void One_that_waits_for_its_answer_goes_last()
    {
        var asking = Enter(Pod, "asking");
        asking.Begin();
        for (var i = 0; i < 3; i++)
            Enter(Pod, $"idle {i}").Begin();
        var idle = Enter(Kubelet, "idle");
        Assert.Equal(["asking"], _evicted); // all four of the pod's waited
        idle.Dispose();
        Enter(Pod, "new");
        Enter(Pod, "newer");
        Assert.Equal(["asking", "new"], _evicted);
    }

    [Fact]
    public void One_that_was_closed_makes_room()
    {
        var entries = Enumerable.Range(0, 4).Select(i => Enter(Pod, $"{i}")).ToList();
        entries[2].Dispose();
        entries[2].Dispose();
        Enter(Pod, "new");
        Assert.Empty(_evicted);
        entries[2].Begin();
        entries[2].End();
        Assert.Equal(4, _table.Count);
    }

    [Fact]
    public void Whatever_happens_the_bound_holds_and_a_peer_with_one_connection_keeps_it_from_those_with_more()
    {
        var random = new Random(Seed.Next());
        var table = new ConnectionTable(32);
        var open = new HashSet<ConnectionTable.Entry>();
        var probe = table.Enter(Kubelet, () => Assert.Fail("the probe was evicted"));
        for (var i = 0; i < 20_000; i++)
        {
            switch (random.Next(4))
            {
                case 0 when open.Count > 0:
                    var gone = open.First();
                    open.Remove(gone);
                    gone.Dispose();
                    break;
                case 1 when open.Count > 0:
                    open.First().Begin();
                    break;
                case 2 when open.Count > 0:
                    open.Last().End();
                    break;
                default:
                    ConnectionTable.Entry? entered = null;
                    entered = table.Enter(new IPAddress([10, 0, 0, (byte)random.Next(3)]), () => open.Remove(entered!));
                    open.Add(entered);
                    break;
            }

            Assert.Equal(open.Count + 1, table.Count);
            Assert.InRange(table.Count, 1, 32);
        }

        probe.Dispose();
    }

    private ConnectionTable.Entry Enter(IPAddress peer, string name) => _table.Enter(peer, () => _evicted.Add(name));
}
