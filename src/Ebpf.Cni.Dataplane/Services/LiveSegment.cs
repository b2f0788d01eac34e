using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>A segment of the backend table that frontends point to, or are about to.</summary>
public sealed class LiveSegment(Extent extent, uint serviceId, ImmutableArray<DesiredBackend> backends)
{
    public Extent Extent { get; } = extent;

    public uint ServiceId { get; } = serviceId;

    /// <summary>What it holds; default when that is not known (damaged), and then it serves no desired segment.</summary>
    public ImmutableArray<DesiredBackend> Backends { get; private set; } = backends;

    /// <summary>Frontends that point to it, or may do so.</summary>
    public int References { get; internal set; }

    internal void Distrust() => Backends = default;

    internal bool Holds(uint serviceId, ImmutableArray<DesiredBackend> wanted) =>
        ServiceId == serviceId && !Backends.IsDefault && (Backends == wanted || Backends.AsSpan().SequenceEqual(wanted.AsSpan()));
}
