using System.Net.NetworkInformation;
using System.Threading.Channels;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Agent.Node;

/// <summary>Reads the node's devices, addresses and default routes at start and whenever the kernel tells of a change.</summary>
public sealed partial class NetworkWatch(NodeState node, TimeProvider time, ILogger<NetworkWatch> log) : BackgroundService
{
    /// <summary>Changes come in bursts: a device, its addresses, its routes. Pods' devices come and go too, and are read for nothing.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    /// <summary>For what is not told: a lost message.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        NetworkAddressChangedEventHandler changed = (_, _) => signal.Writer.TryWrite(true);
        NetworkChange.NetworkAddressChanged += changed;
        try
        {
            while (true)
            {
                var read = TryRead();
                using var limit = new CancellationTokenSource(read ? Longest : RetryAfter, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken);
                try
                {
                    await signal.Reader.ReadAsync(either.Token);
                    await Task.Delay(Settling, time, stoppingToken);
                }
                catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
                {
                }
            }
        }
        finally
        {
            NetworkChange.NetworkAddressChanged -= changed;
        }
    }

    private bool TryRead()
    {
        try
        {
            node.SetFacts(NetworkFacts.Read());
            return true;
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            Log.Failed(log, e.Message);
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3211, LogLevel.Error, "the node's devices and addresses cannot be read; trying again: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
