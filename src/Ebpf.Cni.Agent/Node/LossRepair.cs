using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Agent.Node;

/// <summary>
/// Puts back at once what others take away: networkd and operators flush routes of protocols that they do not know, sysctl --system takes forwarding away. The kernel
/// tells of it; a repair follows, at most one a second, so that two who disagree do not keep a processor busy. What the kernel does not tell, the verify period finds.
/// </summary>
/// <param name="handler">Knows the pods.</param>
/// <param name="node">Told, so that the rest of the node's network is looked at.</param>
/// <param name="devices">Whose changes count.</param>
/// <param name="settings">Makes the node's settings what they should be.</param>
/// <param name="time">For both waits.</param>
/// <param name="log">For errors.</param>
public sealed partial class LossRepair(CniHandler handler, NodeState node, PodDevices devices, Action settings, TimeProvider time, ILogger<LossRepair> log)
{
    /// <summary>A flush is one message for each route.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan AtMostEvery = TimeSpan.FromSeconds(1);

    /// <summary>In the agent's own network namespace, which is the node's.</summary>
    internal Func<Func<int, bool>, RouteMonitor> Open { get; init; } = ours => RouteMonitor.OpenForLosses(PodWiring.RouteProtocol, ours);

    public async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                using var monitor = Open(IsOurs);
                while (true)
                {
                    await monitor.WaitForChangeAsync(cancel);
                    await Task.Delay(Settling, time, cancel);
                    await RepairAsync(cancel);
                    await Task.Delay(AtMostEvery, time, cancel);
                }
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is KernelException or System.Threading.Channels.ChannelClosedException)
            {
                Log.Failed(log, e.InnerException?.Message ?? e.Message);
                await Task.Delay(AtMostEvery, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>All that this looks after, whether or not something was told.</summary>
    public async Task<int> RepairAsync(CancellationToken cancel)
    {
        settings();
        var repaired = await handler.ReconnectAsync(cancel);
        node.Lost();
        return repaired;
    }

    private bool IsOurs(int ifindex) => devices.Contains(ifindex) || (ifindex > 0 && ifindex == node.Seen.Facts.TunnelDevice);

    private static partial class Log
    {
        [LoggerMessage(3196, LogLevel.Error, "the kernel does not tell what of the node's network is taken away; trying again, until then it is looked at every --verify-period: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
