namespace Ebpf.Cni.Sandbox.Api.Patching;

public enum PatchKind
{
    Merge,
    StrategicMerge,
    Json,

    /// <summary>Server-side apply: creates what is missing, else merges strategically.</summary>
    Apply,
}
