namespace Ebpf.Cni.Dataplane.Failures;

/// <summary>A write that failed; it is tried again by the next apply.</summary>
/// <param name="What">The operation and its key.</param>
/// <param name="Cause">Why.</param>
public sealed record ApplyError(string What, Exception Cause)
{
    public override string ToString() => $"{What}: {Cause.Message}";
}
