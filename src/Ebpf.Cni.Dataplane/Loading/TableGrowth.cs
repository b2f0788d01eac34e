using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>One table that is being replaced by another of the same layout and a different size.</summary>
internal abstract class TableGrowth(BpfMap old, BpfMap young) : IDisposable
{
    /// <summary>The one that the former programs use.</summary>
    protected BpfMap Old { get; } = old;

    /// <summary>The one that the new programs use.</summary>
    public BpfMap Young { get; } = young;

    /// <summary>Before any program uses the new table: the whole content.</summary>
    public abstract void Fill();

    /// <summary>While programs of both kinds run: what has come into the former table since.</summary>
    public virtual void CatchUp()
    {
    }

    /// <summary>Once no program uses the former table any more: its last changes.</summary>
    public virtual void Finish() => CatchUp();

    public void Dispose()
    {
        Old.Dispose();
        Young.Dispose();
    }
}
