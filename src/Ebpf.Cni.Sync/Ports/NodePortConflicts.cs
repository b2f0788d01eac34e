using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Sockets;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Ports;

/// <summary>
/// NodePorts that a process of the node listens at, too. It was there before the Service, or let the kernel choose its port (the bind guard
/// refuses others), and hears nothing from outside any more; on 127.0.0.1, where NodePorts are served to the node itself, nothing at all.
/// Looked at when NodePorts change, and every few seconds.
/// </summary>
public sealed partial class NodePortConflicts(
    AppliedState applied, NodeState node, SnapshotStore store, IssueReport issues, TimeProvider time, ILogger<NodePortConflicts> log)
    : BackgroundService
{
    public const string Reason = "NodePortInUse";

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (ports, lookAt) = (PortsInUse.None, long.MinValue);
        while (true)
        {
            var change = applied.Changed;
            var (state, now) = applied.InUse;
            if (!ReferenceEquals(now, ports) || time.GetTimestamp() >= lookAt)
            {
                (ports, lookAt) = (now, time.GetTimestamp() + (long)(Period.TotalSeconds * time.TimestampFrequency));
                Look(ports.NodePorts, node.NodePortAddresses.Concat(LoopbackOf(state, ports.NodePorts)).ToHashSet());
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(change, Task.Delay(Period, time, limit.Token));
            await limit.CancelAsync();
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The loopback addresses on which NodePorts are served.</summary>
    internal static IEnumerable<IPAddress> LoopbackOf(
        DesiredState state, IReadOnlyDictionary<(ushort Port, IpProtocol Protocol), ServicePortName> ports) =>
        ports.Values.Distinct()
            .SelectMany(name => state.Ports.TryGetValue(name, out var port) ? port.Frontends : [])
            .Where(f => f.Key.Scope == Scope.Internal && ports.ContainsKey((f.Key.Port.Host, f.Key.Proto)))
            .Select(f => f.Key.Addr).Distinct()
            .Select(a => a.ToIPAddress()).Where(IPAddress.IsLoopback);

    /// <summary>Sockets that would hear what comes to a NodePort, if the packets came to them.</summary>
    /// <param name="ports">NodePorts and whose they are.</param>
    /// <param name="listeners">Of the node.</param>
    /// <param name="served">The addresses on which NodePorts are served.</param>
    internal static IEnumerable<(ServicePortName Port, SocketInfo Socket)> Find(
        IReadOnlyDictionary<(ushort Port, IpProtocol Protocol), ServicePortName> ports,
        IEnumerable<SocketInfo> listeners, IReadOnlySet<IPAddress> served)
    {
        foreach (var socket in listeners)
        {
            var address = socket.Local.Address.IsIPv4MappedToIPv6 ? socket.Local.Address.MapToIPv4() : socket.Local.Address;
            var hears = address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || served.Contains(address);
            if (hears && ports.TryGetValue(((ushort)socket.Local.Port, (IpProtocol)socket.Protocol), out var port))
                yield return (port, socket);
        }
    }

    private void Look(ImmutableDictionary<(ushort Port, IpProtocol Protocol), ServicePortName> ports, IReadOnlySet<IPAddress> served)
    {
        try
        {
            if (ports.IsEmpty)
            {
                issues.Report(Reason, []);
                return;
            }

            using var sockets = SocketDiagnostics.Open();
            var found = Find(ports, sockets.Listeners(ports.Keys.Select(p => p.Port).ToHashSet()), served);
            issues.Report(Reason, [.. found.GroupBy(f => f.Port.Service).Select(g => Issue(g))]);
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            Log.Failed(log, e.Message);
        }
    }

    private CompileIssue Issue(IGrouping<Compiler.Model.ObjectName, (ServicePortName Port, SocketInfo Socket)> found)
    {
        var what = found.Select(f => string.Create(CultureInfo.InvariantCulture, $"{ProtocolText.Of(f.Port.Protocol)} {f.Socket.Local}"))
            .Distinct().Order(StringComparer.Ordinal);
        return new CompileIssue(
            "Service", found.Key, store.Current.Services.GetValueOrDefault(found.Key)?.Uid ?? "", Reason,
            $"A process on this node listens on the Service's NodePort ({string.Join(", ", what)}); traffic to it goes to the Service.");
    }

    private static partial class Log
    {
        [LoggerMessage(3361, LogLevel.Warning, "NodePort conflicts: listening sockets of the node cannot be read: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
