using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>What became of packets and socket calls, over all CPUs; bytes are 0 for socket calls.</summary>
public readonly record struct CounterReading(Reason Reason, Hook Hook, ulong Packets, ulong Bytes)
{
    public bool IsDrop => Reason >= Metric.FirstDrop;
}

/// <summary>What was not sent or reported because its ration was used up, over all CPUs.</summary>
public readonly record struct SuppressedReading(Ration Ration, ulong Count);

/// <summary>The counters of <c>ebc_cpu_v1</c>: never reset, also not by a restart of the agent. Thread-safe.</summary>
public sealed class DropCounters : IDisposable
{
    private readonly Lock _lock = new();
    private readonly BpfMap _map;
    private readonly Cpu[] _cpus = new Cpu[BpfMap.PossibleCpus];

    internal DropCounters(BpfMap map) => _map = map;

    /// <summary>Every reason at every hook, zeros included.</summary>
    public ImmutableArray<CounterReading> Read()
    {
        lock (_lock)
        {
            _map.LookupPerCpu(0u, _cpus.AsSpan());
            var readings = ImmutableArray.CreateBuilder<CounterReading>(Metric.ReasonCount * Metric.HookCount);
            for (var reason = 0; reason < Metric.ReasonCount; reason++)
                for (var hook = 0; hook < Metric.HookCount; hook++)
                    readings.Add(Sum((Reason)reason, (Hook)hook));
            return readings.DrainToImmutable();
        }
    }

    /// <summary>Each ration.</summary>
    public ImmutableArray<SuppressedReading> ReadSuppressed()
    {
        lock (_lock)
        {
            _map.LookupPerCpu(0u, _cpus.AsSpan());
            return [.. Enum.GetValues<Ration>().Select(
                ration => new SuppressedReading(ration, _cpus.Aggregate(0UL, (sum, cpu) => sum + cpu.Of(ration).Suppressed)))];
        }
    }

    public void Dispose() => _map.Dispose();

    private CounterReading Sum(Reason reason, Hook hook)
    {
        ulong packets = 0, bytes = 0;
        foreach (ref readonly var cpu in _cpus.AsSpan())
        {
            var share = cpu.Count(hook, reason);
            (packets, bytes) = (packets + share.Packets, bytes + share.Bytes);
        }
        return new CounterReading(reason, hook, packets, bytes);
    }
}
