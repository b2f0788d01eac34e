using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Node;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>NodePorts and hostPorts that are in use are reserved in the kernel (<see cref="ReservedPorts"/>), as they come and go, and again when another has written the list.</summary>
public sealed partial class PortReservation(AppliedState applied, SyncStatus status, Sysctl settings, AgentOptions options, TimeProvider time, ILogger<PortReservation> log)
    : BackgroundService
{
    private const string FileName = "reserved-ports.json";

    private bool _told;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // What is remembered counts until the cluster is known.
        await status.FirstSync.WaitAsync(stoppingToken);
        var reserved = new ReservedPorts(settings, Path.Combine(options.StateDir, FileName));
        var (of, ports) = (default(ImmutableArray<DesiredFrontend>), new HashSet<ushort>());
        while (true)
        {
            var change = applied.Changed;
            if (of != applied.Current.Frontends)
                ports = PortsOf(of = applied.Current.Frontends);
            Apply(reserved, ports);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(change, Task.Delay(options.VerifyPeriod, time, limit.Token));
            await limit.CancelAsync();
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>NodePorts have a marker for the bind hook each; hostPorts are named so.</summary>
    internal static HashSet<ushort> PortsOf(ImmutableArray<DesiredFrontend> frontends) =>
        [.. frontends.Where(f => f.Key.Scope == Scope.Bind || f.Owner.IsHostPort).Select(f => f.Key.Port.Host)];

    private void Apply(ReservedPorts reserved, HashSet<ushort> ports)
    {
        try
        {
            if (reserved.Apply(ports))
                Log.Reserved(log, PortList.Write(ports));
            _told = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            if (!_told)
                Log.Failed(log, e.Message);
            _told = true;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3363, LogLevel.Debug, "net.ipv4.ip_local_reserved_ports holds the NodePorts and hostPorts in use: {Ports}")]
        public static partial void Reserved(ILogger log, string ports);

        [LoggerMessage(3364, LogLevel.Warning,
            "NodePorts and hostPorts cannot be reserved in net.ipv4.ip_local_reserved_ports: a connection of the node that happens to begin at one gets no answers ({Cause})")]
        public static partial void Failed(ILogger log, string cause);
    }
}
