using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Sync.Apply;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>A log line for a dropped packet: who, to whom, why. At most a few a second; the rest is counted in a line of its own.</summary>
public sealed partial class DropLog(DataplaneHolder holder, TimeProvider time, ILogger<DropLog> log) : BackgroundService, IEndsByItself
{
    private readonly LineBudget _budget = new(perSecond: 5, time);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        using var reader = dataplane.OpenEvents();
        if (reader is null)
            return;
        await foreach (var drop in reader.Events.ReadAllAsync(stoppingToken))
            Write(drop);
    }

    internal void Write(DropEvent drop)
    {
        if (!_budget.TryTake(out var suppressed))
            return;
        if (suppressed > 0)
            Log.Suppressed(log, suppressed);
        var (from, to) = (EndText(drop.Source, drop.SourcePort), EndText(drop.Destination, drop.DestinationPort));
        if (drop.Hook == Hook.Socket)
            Log.Refused(log, to, AddressText.Protocol(drop.Protocol), drop.Reason);
        else
            Log.Dropped(log, from, to, AddressText.Protocol(drop.Protocol), drop.Reason, drop.Hook, drop.Ifindex, drop.Length);
    }

    private static string EndText(Addr address, ushort port) => port == 0 ? address.ToString()
        : address.IsIPv4 ? $"{address}:{port}"
        : $"[{address}]:{port}";

    private static partial class Log
    {
        [LoggerMessage(3401, LogLevel.Information,
            "dropped {Source} → {Destination} {Protocol}: {Reason} ({Hook}, interface {Ifindex}, {Length} bytes)")]
        public static partial void Dropped(
            ILogger log, string source, string destination, string protocol, Reason reason, Hook hook, int ifindex, uint length);

        [LoggerMessage(3402, LogLevel.Information, "refused socket call to {Destination} {Protocol}: {Reason}")]
        public static partial void Refused(ILogger log, string destination, string protocol, Reason reason);

        [LoggerMessage(3403, LogLevel.Information, "{Count} drops not logged (rate limit); ebpf_cni_packets_total counts all")]
        public static partial void Suppressed(ILogger log, long count);
    }
}

/// <summary>So many lines in each second; says how many were refused since the last one granted.</summary>
internal sealed class LineBudget(int perSecond, TimeProvider time)
{
    private long _windowStart;
    private int _used;
    private long _refused;

    public bool TryTake(out long refused)
    {
        refused = 0;
        if (_used == 0 || time.GetElapsedTime(_windowStart) >= TimeSpan.FromSeconds(1))
            (_windowStart, _used) = (time.GetTimestamp(), 0);
        if (_used == perSecond)
        {
            _refused++;
            return false;
        }

        _used++;
        (refused, _refused) = (_refused, 0);
        return true;
    }
}
