using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Repair;

/// <summary>
/// Puts back at once what others take away: networkd and operators flush routes of protocols that they do not
/// know, sysctl --system takes forwarding away. netlink reports it; a repair follows, at most one a second,
/// and ever fewer where it is taken away again each time (<see cref="RepairPace"/>): then the node has an issue
/// that says who does it, as far as netlink reports it. Losses without an event are found once per verify period.
/// </summary>
/// <param name="handler">Knows the pods.</param>
/// <param name="node">Hears of each repair: the loop then reads the rest of the node's network back.</param>
/// <param name="losses">Judges the kernel's events.</param>
/// <param name="settings">Makes the node's settings what they should be.</param>
/// <param name="time">For all waits.</param>
/// <param name="log">For losses and errors.</param>
public sealed partial class LossRepair(
    CniHandler handler, NodeState node, NodeLosses losses, Action settings, TimeProvider time, ILogger<LossRepair> log)
{
    /// <summary>A flush is one message for each route.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly RepairPace _pace = new(time);

    /// <summary>In the agent's own network namespace, which is the node's.</summary>
    internal Func<Func<NetworkEvent, bool>, RouteMonitor> Open { get; init; } =
        isLoss => RouteMonitor.Open(NodeLosses.Subscription, isLoss);

    /// <summary>Whether the node has an interface of this index; while one is being removed the kernel answers after that.</summary>
    internal Func<int, bool> IsThere { get; init; } = ifindex =>
    {
        using var netlink = RouteNetlink.Open();
        return netlink.FindLink(ifindex) is not null;
    };

    public async Task RunAsync(CancellationToken cancel)
    {
        var failed = false;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                using var monitor = Open(losses.Note);
                if (failed)
                    await RepairAsync(cancel); // losses since the failure were not reported
                failed = false;
                while (true)
                {
                    await ChangeAsync(monitor, cancel);
                    await Task.Delay(Settling, time, cancel);
                    var lost = losses.Take(IsThere);
                    if (lost.Count == 0)
                        continue; // it went with its pod
                    var taken = lost.Where(losses.IsTaken).ToList();
                    if (taken.Count > 0)
                        Report(taken);
                    await RepairAsync(cancel);
                    await Task.Delay(taken.Count > 0 ? _pace.Rest : RetryAfter, time, cancel);
                }
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is KernelException or NetlinkFormatException or System.Threading.Channels.ChannelClosedException)
            {
                failed = true;
                Log.Failed(log, e.InnerException?.Message ?? e.Message);
                await Task.Delay(RetryAfter, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Restores all network state, whether or not netlink reported a loss.</summary>
    public async Task<int> RepairAsync(CancellationToken cancel)
    {
        settings();
        var repaired = await handler.ReconnectAsync(cancel);
        node.Lost();
        return repaired;
    }

    private async Task ChangeAsync(RouteMonitor monitor, CancellationToken cancel)
    {
        var change = monitor.WaitForChangeAsync(cancel);
        if (_pace.IsFought)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            await Task.WhenAny(change, Task.Delay(_pace.UntilCalm, time, stop.Token));
            await stop.CancelAsync();
            if (!change.IsCompleted)
            {
                _pace.Over();
                node.SetFought(null);
            }
        }

        await change;
    }

    private void Report(List<NetworkEvent> taken)
    {
        var example = NodeLosses.Text(taken[0]);
        Log.Lost(log, taken.Count, example);
        _pace.Repairing();
        if (_pace.IsFought)
            node.SetFought(example);
    }

    private static partial class Log
    {
        [LoggerMessage(3196, LogLevel.Error,
            "netlink: changes of routes, neighbours and links cannot be monitored, retrying; "
            + "the agent checks once per verify-period: {Cause}")]
        public static partial void Failed(ILogger log, string cause);

        [LoggerMessage(3197, LogLevel.Warning,
            "network state of the agent removed by {Count} external changes, restoring it; first change: {First}")]
        public static partial void Lost(ILogger log, int count, string first);
    }
}
