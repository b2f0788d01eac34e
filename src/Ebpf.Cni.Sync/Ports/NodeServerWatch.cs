using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Sockets;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Ports;

/// <summary>
/// Servers of the node at cluster IPs that the node itself carries, as NodeLocal DNSCache does it: its dummy device has the cluster IP of
/// kube-dns, and it listens on exactly that. They keep their ports. Looked at whenever something was applied, which a change of addresses
/// leads to, and every few seconds while there is such an address: the kernel tells of no listener.
/// </summary>
public sealed partial class NodeServerWatch(AppliedState applied, NodeState node, TimeProvider time, ILogger<NodeServerWatch> log)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var change = applied.Changed;
            var waited = Look() ? Period : Timeout.InfiniteTimeSpan;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(change, Task.Delay(waited, time, limit.Token));
            await limit.CancelAsync();
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Ports of cluster IPs among the node's addresses. Pure.</summary>
    /// <param name="state">Compiled for a node that had these addresses, or had others.</param>
    /// <param name="addresses">The node's own, now.</param>
    internal static HashSet<NodeServer> Candidates(DesiredState state, IEnumerable<Addr> addresses)
    {
        var own = addresses.ToHashSet();
        return [.. state.ServerCandidates.Where(c => own.Contains(c.Addr))];
    }

    /// <summary>The candidates at which a socket is bound to that very address. Pure.</summary>
    internal static ImmutableArray<NodeServer> Served(IReadOnlySet<NodeServer> candidates, IEnumerable<SocketInfo> listeners) =>
        [.. listeners.Select(s => new NodeServer(Addr.From(Plain(s.Local.Address)), (ushort)s.Local.Port, (IpProtocol)s.Protocol))
            .Where(candidates.Contains).Distinct().Order()];

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <returns>Whether there is anything to look at again.</returns>
    private bool Look()
    {
        var candidates = Candidates(applied.Current, node.Seen.View?.Network.Addresses ?? []);
        if (candidates.Count == 0)
        {
            node.SetServers([]);
            return false;
        }

        try
        {
            using var sockets = SocketDiagnostics.Open();
            node.SetServers(Served(candidates, sockets.Listeners(candidates.Select(c => c.Port).ToHashSet())));
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            Log.Failed(log, e.Message);
        }

        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(3362, LogLevel.Warning, "sockets of the node bound to cluster IPs cannot be read: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
