using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Ports;

/// <summary>
/// NodePorts and hostPorts that are in use are reserved in the kernel (<see cref="ReservedPorts"/>),
/// as they come and go. Now and then the list is looked at, which another may have written.
/// </summary>
public sealed partial class PortReservation(
    AppliedState applied, SyncStatus status, SysctlTree settings, SyncOptions options, TimeProvider time, ILogger<PortReservation> log)
    : BackgroundService
{
    private bool _logged;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // What is remembered counts until the cluster is known.
        await status.FirstSync.WaitAsync(stoppingToken);
        var reserved = new ReservedPorts(settings, Path.Combine(options.StateDir, ReservedPorts.FileName));
        var (done, lookAt) = ((PortsInUse?)null, long.MinValue);
        while (true)
        {
            var change = applied.Changed;
            var ports = applied.InUse.Ports;
            if (!ReferenceEquals(ports, done) || time.GetTimestamp() >= lookAt)
            {
                done = TryApply(reserved, ports.Numbers) ? ports : null;
                lookAt = time.GetTimestamp() + (long)(options.VerifyPeriod.TotalSeconds * time.TimestampFrequency);
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(change, Task.Delay(options.VerifyPeriod, time, limit.Token));
            await limit.CancelAsync();
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    private bool TryApply(ReservedPorts reserved, HashSet<ushort> ports)
    {
        try
        {
            if (reserved.Apply(ports))
                Log.Reserved(log, PortList.Write(ports));
            _logged = false;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            if (!_logged)
                Log.Failed(log, e.Message);
            _logged = true;
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3363, LogLevel.Debug, "sysctl net.ipv4.ip_local_reserved_ports set to NodePorts and hostPorts {Ports}")]
        public static partial void Reserved(ILogger log, string ports);

        [LoggerMessage(3364, LogLevel.Warning,
            "sysctl net.ipv4.ip_local_reserved_ports cannot be set: node connections with a NodePort or hostPort as source port "
            + "get no replies ({Cause})")]
        public static partial void Failed(ILogger log, string cause);
    }
}
