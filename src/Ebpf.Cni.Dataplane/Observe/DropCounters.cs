using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>What became of packets and socket calls, over all CPUs; bytes are 0 for socket calls.</summary>
public readonly record struct CounterReading(Reason Reason, Hook Hook, ulong Packets, ulong Bytes)
{
    public bool IsDrop => Reason >= Metric.FirstDrop;
}

/// <summary><c>ebc_metric_v3</c>: never reset, also not by a restart of the agent.</summary>
public sealed class DropCounters : IDisposable
{
    private readonly BpfMap _map;

    internal DropCounters(BpfMap map) => _map = map;

    /// <summary>Every reason at every hook, zeros included.</summary>
    public ImmutableArray<CounterReading> Read()
    {
        var perCpu = new Metric[BpfMap.PossibleCpus];
        var readings = ImmutableArray.CreateBuilder<CounterReading>(Metric.ReasonCount * Metric.HookCount);
        for (var reason = 0; reason < Metric.ReasonCount; reason++)
        {
            for (var hook = 0; hook < Metric.HookCount; hook++)
            {
                _map.LookupPerCpu(Metric.Index((Reason)reason, (Hook)hook), perCpu.AsSpan());
                ulong packets = 0, bytes = 0;
                foreach (var cpu in perCpu)
                    (packets, bytes) = (packets + cpu.Packets, bytes + cpu.Bytes);
                readings.Add(new CounterReading((Reason)reason, (Hook)hook, packets, bytes));
            }
        }
        return readings.DrainToImmutable();
    }

    public void Dispose() => _map.Dispose();
}
