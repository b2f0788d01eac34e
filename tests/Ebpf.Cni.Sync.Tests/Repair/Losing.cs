using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Tests.Interfaces;
using Ebpf.Cni.Sync.Repair;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Repair;

/// <summary>A node that loses what the agent has set, and the repair that is told of it.</summary>
internal static class Losing
{
    public const string Forwarding = "/proc/sys/net/ipv4/ip_forward";

    public static NodeLosses Losses(RealNode node) => new(node.Devices, node.State, _ => false);

    /// <summary>What happens from then on is told.</summary>
    public static async Task<Task> Start(
        RealNode node, CancellationToken stop, ILogger<LossRepair>? log = null, TimeProvider? time = null,
        Func<NetworkEvent, Func<NetworkEvent, bool>, bool>? judge = null, Func<int, bool>? isThere = null)
    {
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var repair = new LossRepair(
            node.Handler, node.State, Losses(node), () => node.Namespace.Run(() => File.WriteAllText(Forwarding, "1")),
            time ?? TimeProvider.System, log ?? NullLogger<LossRepair>.Instance)
        {
            Open = isLoss =>
            {
                var monitor = node.Namespace.Run(() => RouteMonitor.Open(
                    NodeLosses.Subscription, told => judge?.Invoke(told, isLoss) ?? isLoss(told)));
                opened.TrySetResult();
                return monitor;
            },
            IsThere = isThere ?? (ifindex => node.Namespace.Run(() =>
            {
                using var netlink = RouteNetlink.Open();
                return netlink.FindLink(ifindex) is not null;
            })),
        };
        var running = repair.RunAsync(stop);
        await opened.Task;
        return running;
    }

    public static async Task<IPAddress> Add(RealNode node, string pod) =>
        IPAddress.Parse((await node.Run("ADD", pod)).GetProperty("result").GetProperty("ips")[0].GetProperty("address")
            .GetString()!.Split('/')[0]);

    public static void Flush(bool routes, bool neighbours)
    {
        using var netlink = RouteNetlink.Open();
        if (routes)
            foreach (var route in netlink.Routes(PodWiring.RouteProtocol))
                netlink.DeleteRoute(route);
        if (neighbours)
            foreach (var neighbour in netlink.Neighbours().Where(n => n.Permanent && !n.Address.IsIPv6Multicast))
                netlink.DeleteNeighbour(neighbour.Ifindex, neighbour.Address);
    }

    public static void SetDown(RealNode node)
    {
        using var netlink = RouteNetlink.Open();
        netlink.SetDown(netlink.FindLink(node.Store.All.Single().Key.HostInterface)!.Index);
    }

    public static void AssertWhole(RealNode node, int routes) => Assert.Equal((routes, routes), (Routes(node), Neighbours(node)));

    public static int Routes(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return netlink.Routes(PodWiring.RouteProtocol).Count;
    });

    public static int Neighbours(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return netlink.Neighbours().Count(n => n.Permanent && !n.Address.IsIPv6Multicast);
    });
}
