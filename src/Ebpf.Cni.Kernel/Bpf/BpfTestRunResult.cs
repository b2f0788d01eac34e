using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>What a test run did.</summary>
/// <param name="ReturnValue">The verdict: TC_ACT_*, XDP_*.</param>
/// <param name="Packet">As the program left it.</param>
/// <param name="NanosecondsPerRun">Mean of the runs.</param>
public sealed record BpfTestRunResult(uint ReturnValue, byte[] Packet, uint NanosecondsPerRun)
{
    /// <summary>The context after the run, if one was given.</summary>
    public SkBuffContext? Context { get; init; }
}

/// <summary>
/// struct __sk_buff for a test run. The kernel takes only the fields below; of what the program writes it returns them.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
public struct SkBuffContext
{
    [FieldOffset(8)] private uint _mark;
    [FieldOffset(32)] private uint _priority;
    [FieldOffset(36)] private uint _ingressIfindex;
    [FieldOffset(40)] private uint _ifindex;
    [FieldOffset(48)] private ControlBlock _cb;
    [FieldOffset(176)] private uint _gsoSize;
    [FieldOffset(164)] private uint _gsoSegments;

    /// <summary>skb->mark, native order.</summary>
    public uint Mark { readonly get => _mark; set => _mark = value; }

    public uint Priority { readonly get => _priority; set => _priority = value; }

    /// <summary>Where the packet came from.</summary>
    public int IngressIfindex { readonly get => (int)_ingressIfindex; set => _ingressIfindex = (uint)value; }

    /// <summary>The interface whose hook runs; it must exist in the calling thread's network namespace.</summary>
    public int Ifindex { readonly get => (int)_ifindex; set => _ifindex = (uint)value; }

    /// <summary>Bytes of one segment of a packet to be segmented.</summary>
    public uint GsoSize { readonly get => _gsoSize; set => _gsoSize = value; }

    public uint GsoSegments { readonly get => _gsoSegments; set => _gsoSegments = value; }

    /// <summary>skb->cb, five words.</summary>
    [UnscopedRef]
    public Span<uint> ControlWords => _cb;

    [UnscopedRef]
    internal Span<byte> Bytes() => MemoryMarshal.AsBytes(new Span<SkBuffContext>(ref this));

    [InlineArray(5)]
    private struct ControlBlock
    {
        private uint _first;
    }
}
