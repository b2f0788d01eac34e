using System.Threading.Channels;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Agent.Node;

/// <summary>Reads the node's devices, addresses and default routes at start and whenever the kernel tells of a change.</summary>
public sealed partial class NetworkWatch(NodeState node, TimeProvider time, ILogger<NetworkWatch> log) : BackgroundService
{
    /// <summary>Changes come in bursts: a device, its addresses, its routes. Pods' devices come and go too, and are read for nothing.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            catch (Exception e) when (e is KernelException or NetlinkFormatException or ChannelClosedException && !stoppingToken.IsCancellationRequested)
            {
                Log.Failed(log, e.InnerException?.Message ?? e.Message);
                await Task.Delay(RetryAfter, time, stoppingToken);
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancel)
    {
        // First: what changes while it is read is read again.
        using var monitor = RouteMonitor.Open();
        while (true)
        {
            node.SetFacts(NetworkFacts.Read());
            await monitor.WaitForChangeAsync(cancel);
            await Task.Delay(Settling, time, cancel);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3211, LogLevel.Error, "the node's devices and addresses cannot be read; trying again: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
