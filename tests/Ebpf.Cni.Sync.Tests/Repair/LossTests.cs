using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Tests.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.Sync.Tests.Repair.Losing;

namespace Ebpf.Cni.Sync.Tests.Repair;

/// <summary>What networkd, operators and sysctl --system take away on a node.</summary>
public class LossTests
{
    [Fact]
    public async Task Flushed_routes_and_neighbours_of_pods_are_found_missing_and_put_back()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        var address = await Add(node, "a");
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.SetUp(1);
            netlink.AddAddress(1, IPAddress.Parse("192.0.2.1"), 32);
        });
        Assert.Equal(0, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
        node.Namespace.Run(() => Flush(routes: true, neighbours: true));
        Assert.Equal(1, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
        AssertWhole(node, 2);
        Assert.Equal("hello", Pair.Talk(node.Namespace, pod, address));
        node.Namespace.Run(() => Flush(routes: false, neighbours: true));
        Assert.Equal(1, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_kernel_tells_and_they_are_back_at_once()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await Add(node, "a");
        using var stop = new CancellationTokenSource();
        var repair = await Start(node, stop.Token);
        try
        {
            node.Namespace.Run(() => Flush(routes: true, neighbours: false));
            await Eventually.True(() => Routes(node) == 2, "the pod's routes are back", TimeSpan.FromSeconds(10));
            node.Namespace.Run(() => Flush(routes: false, neighbours: true));
            await Eventually.True(() => Neighbours(node) == 2, "the pod's neighbours are back", TimeSpan.FromSeconds(10));
            node.Namespace.Run(() => SetDown(node));
            await Eventually.True(() => Routes(node) == 2, "the pod's interface is on again, and its routes are back",
                TimeSpan.FromSeconds(10));
            Assert.True(node.State.TakeLoss());
        }
        finally
        {
            await stop.CancelAsync();
            await repair;
        }
    }

    [Fact]
    public async Task Forwarding_that_is_switched_off_is_on_again_at_once()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await Add(node, "a");
        using var stop = new CancellationTokenSource();
        var repair = await Start(node, stop.Token);
        try
        {
            node.Namespace.Run(() => File.WriteAllText(Forwarding, "0"));
            await Eventually.True(() => node.Namespace.Run(() => File.ReadAllText(Forwarding).Trim()) == "1", "the node forwards",
                TimeSpan.FromSeconds(10));
            await Eventually.True(() => node.Handler.ReconnectAsync(CancellationToken.None).Result == 0, "so does the pod's interface",
                TimeSpan.FromSeconds(10));
        }
        finally
        {
            await stop.CancelAsync();
            await repair;
        }
    }

    [Fact]
    public async Task What_is_anothers_is_left_to_it()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await Add(node, "a");
        using var monitor = node.Namespace.Run(() => RouteMonitor.Open(NodeLosses.Subscription, Losses(node).Note));
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var other = netlink.AddVeth("other0", "other1").Index;
            netlink.SetUp(other);
            netlink.AddAddress(other, IPAddress.Parse("192.0.2.1"), 24);
            netlink.ReplaceNeighbour(other, IPAddress.Parse("192.0.2.9"), [2, 0, 0, 0, 0, 9]);
            netlink.DeleteNeighbour(other, IPAddress.Parse("192.0.2.9"));
            netlink.AddRoute(new(IPNetwork.Parse("198.51.100.0/24"), other));
            netlink.DeleteRoute(new(IPNetwork.Parse("198.51.100.0/24"), other));
            netlink.DeleteAddress(other, IPAddress.Parse("192.0.2.1"), 24);
        });
        var told = monitor.WaitForChangeAsync(TestContext.Current.CancellationToken);
        // Control: what comes after it is told, and was not before.
        Assert.False(told.IsCompleted);
        node.Namespace.Run(() => Flush(routes: true, neighbours: false));
        await told.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_route_that_another_puts_in_a_pods_place_is_taken_back_and_told_of()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        var address = await Add(node, "a");
        var log = new KeptLog<LossRepair>();
        using var stop = new CancellationTokenSource();
        var running = await Start(node, stop.Token, log);
        try
        {
            node.Namespace.Run(() =>
            {
                using var netlink = RouteNetlink.Open();
                var other = netlink.AddVeth("other0", "other1").Index;
                netlink.SetUp(other);
                // the kernel tells of the new one alone
                netlink.ReplaceRoute(new(new IPNetwork(address, 32), other) { Protocol = 12 });
            });
            Assert.Equal(1, Routes(node)); // of IPv6
            await Eventually.True(() => Routes(node) == 2, "the pod's route is back", TimeSpan.FromSeconds(10));
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }

        Assert.Contains(log.Lines, l => l.Message.Contains(
            $"the route to {address}/32 was replaced by one of protocol 12 (bird), by netlink port", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pods_that_come_and_go_are_no_losses()
    {
        Requires.Root();
        using var node = new RealNode();
        var log = new KeptLog<LossRepair>();
        using var stop = new CancellationTokenSource();
        var running = await Start(node, stop.Token, log);
        try
        {
            for (var i = 0; i < 5; i++)
            {
                node.Pod("a");
                await Add(node, "a");
                await node.Run("DEL", "a");
            }

            node.Pod("b");
            await Add(node, "b");
            // Control, and what came before it was judged before it.
            node.Namespace.Run(() => Flush(routes: true, neighbours: false));
            await Eventually.True(() => Routes(node) == 2, "the pod's routes are back", TimeSpan.FromSeconds(10));
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }

        Assert.True(
            log.Lines is [var (_, only)] && only.Contains("was deleted", StringComparison.Ordinal),
            string.Join("\n", log.Lines.Select(l => l.Message)));
    }

    [Fact]
    public void Peers_routes_and_their_uplink_are_the_nodes_too()
    {
        Requires.Root();
        using var node = new RealNode();
        var peer = IPNetwork.Parse("10.244.7.0/24");
        var losses = new NodeLosses(node.Devices, node.State, peer.Equals);
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var uplink = netlink.AddVeth("up0", "up1").Index;
            netlink.SetUp(uplink);
            netlink.SetUp(netlink.FindLink("up1")!.Index);
            netlink.AddAddress(uplink, IPAddress.Parse("192.0.2.1"), 24);
            node.State.SetNetworkState(NodeNetworkState.Read());
            Assert.Equal([uplink], node.State.View(null).Network.Main);
            using var events = NetworkEvents.Open(NodeLosses.Subscription);
            var ours = new Kernel.Netlink.Route(peer, uplink)
            {
                Gateway = IPAddress.Parse("192.0.2.2"), Protocol = PodWiring.RouteProtocol,
            };
            netlink.AddRoute(ours);
            Assert.Equal("", Noted());
            netlink.DeleteRoute(ours);
            Assert.StartsWith("the route to 10.244.7.0/24 was deleted, by netlink port ", Noted(), StringComparison.Ordinal);
            netlink.AddRoute(ours);
            // no losses: the route of no pod and no peer, a replacement of the agent's own protocol, another MTU
            netlink.AddRoute(new(IPNetwork.Parse("10.9.0.0/16"), uplink) { Protocol = PodWiring.RouteProtocol });
            netlink.DeleteRoute(new(IPNetwork.Parse("10.9.0.0/16"), uplink) { Protocol = PodWiring.RouteProtocol });
            netlink.ReplaceRoute(ours with { Gateway = IPAddress.Parse("192.0.2.3") });
            netlink.SetMtu(uplink, 1400);
            Assert.Equal("", Noted());
            netlink.SetDown(uplink);
            netlink.SetUp(uplink);
            Assert.StartsWith("up0 was set down", Noted(), StringComparison.Ordinal);
            netlink.DeleteAddress(uplink, IPAddress.Parse("192.0.2.1"), 24);
            Assert.StartsWith("the address 192.0.2.1 was deleted", Noted(), StringComparison.Ordinal);

            // An uplink's own life is no fight with the agent.
            netlink.AddAddress(uplink, IPAddress.Parse("192.0.2.1"), 24);
            netlink.SetDown(uplink);
            events.Read(told => losses.Note(told));
            var ownLife = losses.Take(_ => true);
            Assert.NotEmpty(ownLife);
            Assert.DoesNotContain(ownLife, losses.IsTaken);
            // The kernel tells of IPv6 routes that go with it, in its own name.
            Assert.False(losses.IsTaken(new NetworkEvent(NetworkEventKind.RouteGone, uplink)));
            Assert.True(losses.IsTaken(new NetworkEvent(NetworkEventKind.RouteGone, uplink) { Requester = 1 }));
            // Control.
            netlink.SetUp(uplink);
            netlink.AddRoute(ours);
            netlink.DeleteRoute(ours);
            events.Read(told => losses.Note(told));
            Assert.Contains(losses.Take(_ => true), losses.IsTaken);

            string Noted()
            {
                events.Read(told => losses.Note(told));
                return string.Join("; ", losses.Take(_ => true).Select(NodeLosses.Text));
            }
        });
    }
}
