using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// A table that only the agent writes, and does not while it starts: one copy is the truth, whichever table a program uses.
/// </summary>
internal sealed class CopiedTable<TKey, TValue>(BpfMap old, BpfMap young) : TableGrowth(old, young) where TKey : unmanaged where TValue
    : unmanaged
{
    public override void Fill()
    {
        var entries = Old.ReadAll<TKey, TValue>();
        Young.UpdateBatch<TKey, TValue>(entries.Select(e => e.Key).ToArray(), entries.Select(e => e.Value).ToArray());
    }
}
