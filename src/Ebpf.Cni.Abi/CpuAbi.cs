using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_ration</c>: what the programs ration.</summary>
public enum Ration : byte
{
    /// <summary>Answers to what is for no listener.</summary>
    Refusal = 0,

    /// <summary>Answers about sizes and hops.</summary>
    Error = 1,

    /// <summary>Records of drops.</summary>
    Record = 2,
}

/// <summary><c>struct ebc_bucket</c>: a token bucket as the time at which it is full again.</summary>
/// <param name="FullNs">CLOCK_MONOTONIC.</param>
/// <param name="Suppressed">What it did not let pass, since the table was made.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Bucket(ulong FullNs, ulong Suppressed);

/// <summary>The packet that a CPU is looking at; nothing in it outlives it.</summary>
[InlineArray(Words)]
public struct CpuScratch
{
    public const int Words = 128;
    private ulong _word;
}

/// <summary>Counters: [hook * <see cref="ReasonSlots"/> + reason].</summary>
[InlineArray(HookSlots * ReasonSlots)]
public struct CpuMetrics
{
    public const int HookSlots = 8;
    public const int ReasonSlots = 64;
    private Metric _metric;
}

/// <summary>Token buckets, by <see cref="Ration"/>.</summary>
[InlineArray(Count)]
public struct CpuBuckets
{
    public const int Count = 4;
    private Bucket _bucket;
}

/// <summary><c>struct ebc_cpu</c>: what each CPU has for itself.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly struct Cpu
{
    private readonly CpuScratch _scratch;
    private readonly CpuMetrics _metrics;
    private readonly CpuBuckets _buckets;
    private readonly Held _held;

    public Metric Count(Hook hook, Reason reason) => _metrics[((int)hook * CpuMetrics.ReasonSlots) + (int)reason];

    public Bucket Of(Ration ration) => _buckets[(int)ration];
}
