using System.Threading.Channels;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// Reads the node's devices, addresses and default routes at start, and
/// what of them may have changed whenever netlink reports a change.
/// </summary>
public sealed partial class NetworkWatch(NodeState node, TimeProvider time, ILogger<NetworkWatch> log) : BackgroundService
{
    /// <summary>Changes come in bursts: a device, its addresses, its routes.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// So many times its own duration passes between one read and the next,
    /// however fast the network changes and however much there is to read.
    /// </summary>
    private const int RestAfterRead = 20;

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            catch (Exception e) when (e is KernelException or NetlinkFormatException or ChannelClosedException
                && !stoppingToken.IsCancellationRequested)
            {
                Log.Failed(log, e.InnerException?.Message ?? e.Message);
                await Task.Delay(RetryAfter, time, stoppingToken);
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancel)
    {
        // First: what changes while it is read is read again.
        var reader = new NetworkReader();
        using var monitor = RouteMonitor.Open(reader.Subscription, reader.Matters);
        while (true)
        {
            var started = time.GetTimestamp();
            node.SetNetworkState(reader.Read(monitor));
            var rest = time.GetElapsedTime(started) * RestAfterRead;
            await monitor.WaitForChangeAsync(cancel);
            await Task.Delay(rest > Settling ? rest : Settling, time, cancel);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3211, LogLevel.Error, "interfaces and addresses of the node cannot be read, retrying: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
