using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>An array that only the agent writes, as <see cref="CopiedTable{TKey,TValue}"/>.</summary>
internal sealed class CopiedArray<TValue>(BpfMap old, BpfMap young) : TableGrowth(old, young) where TValue : unmanaged
{
    public override void Fill()
    {
        using var from = Old.MapArray<TValue>();
        using var to = Young.MapArray<TValue>();
        from.Span.CopyTo(to.Span);
    }
}
