using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>
/// One object off the wire. <see cref="Error"/> says why <see cref="Value"/> is null; the name is empty when not even that could be read.
/// </summary>
internal readonly record struct Decoded<T>(ObjectName Name, string Uid, string Version, T? Value, string? Error)
    where T : class
{
    public bool HasName => !string.IsNullOrEmpty(Name.Name);
}
