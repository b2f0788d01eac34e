using System.Net;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Agent.Node;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Agent.Tests.Node;

/// <summary>What networkd, operators and sysctl --system take away on a node.</summary>
public class LossTests
{
    private const string Forwarding = "/proc/sys/net/ipv4/ip_forward";

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
            await Eventually.True(() => Routes(node) == 2, "the pod's interface is on again, and its routes are back", TimeSpan.FromSeconds(10));
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
            await Eventually.True(() => node.Namespace.Run(() => File.ReadAllText(Forwarding).Trim()) == "1", "the node forwards", TimeSpan.FromSeconds(10));
            await Eventually.True(() => node.Handler.ReconnectAsync(CancellationToken.None).Result == 0, "so does the pod's interface", TimeSpan.FromSeconds(10));
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
        using var monitor = node.Namespace.Run(() => RouteMonitor.OpenForLosses(PodWiring.RouteProtocol, node.Devices.Contains));
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

    /// <summary>What happens from then on is told.</summary>
    private static async Task<Task> Start(RealNode node, CancellationToken stop)
    {
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var repair = new LossRepair(
            node.Handler, node.State, node.Devices, () => node.Namespace.Run(() => File.WriteAllText(Forwarding, "1")), TimeProvider.System, NullLogger<LossRepair>.Instance)
        {
            Open = ours =>
            {
                var monitor = node.Namespace.Run(() => RouteMonitor.OpenForLosses(PodWiring.RouteProtocol, ours));
                opened.TrySetResult();
                return monitor;
            },
        };
        var running = repair.RunAsync(stop);
        await opened.Task;
        return running;
    }

    private static async Task<IPAddress> Add(RealNode node, string pod) =>
        IPAddress.Parse((await node.Run("ADD", pod)).GetProperty("result").GetProperty("ips")[0].GetProperty("address").GetString()!.Split('/')[0]);

    private static void Flush(bool routes, bool neighbours)
    {
        using var netlink = RouteNetlink.Open();
        if (routes)
            foreach (var route in netlink.Routes(PodWiring.RouteProtocol))
                netlink.DeleteRoute(route);
        if (neighbours)
            foreach (var neighbour in netlink.Neighbours().Where(n => n.Permanent && !n.Address.IsIPv6Multicast))
                netlink.DeleteNeighbour(neighbour.Ifindex, neighbour.Address);
    }

    private static void SetDown(RealNode node)
    {
        using var netlink = RouteNetlink.Open();
        netlink.SetDown(netlink.FindLink(node.Store.All.Single().Key.HostInterface)!.Index);
    }

    private static void AssertWhole(RealNode node, int routes) => Assert.Equal((routes, routes), (Routes(node), Neighbours(node)));

    private static int Routes(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return netlink.Routes(PodWiring.RouteProtocol).Count;
    });

    private static int Neighbours(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return netlink.Neighbours().Count(n => n.Permanent && !n.Address.IsIPv6Multicast);
    });
}
