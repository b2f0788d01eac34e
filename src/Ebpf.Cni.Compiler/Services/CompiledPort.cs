using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>A frontend before its service port has an id.</summary>
internal readonly record struct CompiledFrontend(SvcKey Key, SegmentVariant Variant, SvcFlags Flags, uint AffinitySec);

/// <summary>A list of backends that frontends of a service port may share.</summary>
internal readonly record struct CompiledSegment(SegmentVariant Variant, ImmutableArray<DesiredBackend> Backends);

/// <summary>
/// One service port as compiled. The outputs made for an id are kept, so that a service port that did not change yields the very same
/// objects in the next state and whoever compares states sees it at a glance.
/// </summary>
internal sealed class CompiledPort(ServicePortName name, string uid, CompiledFrontend[] frontends, CompiledSegment[] segments)
{
    private readonly DesiredFrontend?[] _frontends = new DesiredFrontend?[frontends.Length];
    private readonly DesiredSegment?[] _segments = new DesiredSegment?[segments.Length];
    private uint _id;

    public ServicePortName Name { get; } = name;

    /// <summary>The service's.</summary>
    public string Uid { get; } = uid;

    /// <summary>In no order; keys may repeat those of other ports.</summary>
    public CompiledFrontend[] Frontends { get; } = frontends;

    /// <summary>Sorted by variant; each variant of <see cref="Frontends"/> is here.</summary>
    public CompiledSegment[] Segments { get; } = segments;

    /// <summary>0 until one is assigned.</summary>
    public uint Id
    {
        get => _id;
        set
        {
            if (_id == value)
                return;
            _id = value;
            Array.Clear(_frontends);
            Array.Clear(_segments);
        }
    }

    /// <summary>The table that <see cref="Id"/> was last seen in.</summary>
    public IdTable? IdSource { get; set; }

    public DesiredFrontend EmitFrontend(int index)
    {
        var frontend = Frontends[index];
        return _frontends[index] ??=
            new DesiredFrontend(frontend.Key, new SegmentKey(Id, frontend.Variant), Name, frontend.Flags, frontend.AffinitySec);
    }

    public DesiredSegment EmitSegment(int index) =>
        _segments[index] ??= new DesiredSegment(new SegmentKey(Id, Segments[index].Variant), Name, Segments[index].Backends);
}
