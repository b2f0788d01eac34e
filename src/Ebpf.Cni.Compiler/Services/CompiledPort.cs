using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Where a frontend's address comes from; of two that want the same one the lower kind has it.</summary>
internal enum FrontendKind : byte
{
    /// <summary>Handed out by the API server: nobody else's external address may take it over.</summary>
    ClusterIP,

    /// <summary>Written by a controller.</summary>
    LoadBalancer,

    /// <summary>Handed out by the API server too.</summary>
    NodePort,

    /// <summary>
    /// Written by whoever may write a service, any address at all: he takes nothing from others. (kube-proxy asks for external IPs before node
    /// ports, so there he does, CVE-2020-8554.)
    /// </summary>
    ExternalIP,

    /// <summary>Last, as the portmap plugin's rules come after kube-proxy's.</summary>
    HostPort,
}

/// <summary>A frontend before its service port has an id.</summary>
internal readonly record struct CompiledFrontend(SvcKey Key, FrontendKind Kind, SegmentVariant Variant, SvcFlags Flags, uint AffinitySec);

/// <summary>A list of backends that frontends of a service port may share.</summary>
internal readonly record struct CompiledSegment(
    SegmentVariant Variant, ImmutableArray<DesiredBackend> Backends, ImmutableArray<DesiredBackend> Tail);

/// <summary>
/// One service port as compiled. The outputs made for an id are kept, so that a service port that did not change yields the very same
/// objects in the next state and whoever compares states sees it at a glance.
/// </summary>
internal sealed class CompiledPort(
    ServicePortName name, string uid, CompiledFrontend[] frontends, CompiledSegment[] segments, AddressRange[]? sourceRanges = null)
{
    private readonly DesiredFrontend?[] _frontends = new DesiredFrontend?[frontends.Length];
    private readonly DesiredSegment?[] _segments = new DesiredSegment?[segments.Length];
    private DesiredSourceRange[]? _sourceRanges;
    private uint _id;

    public ServicePortName Name { get; } = name;

    /// <summary>The service's.</summary>
    public string Uid { get; } = uid;

    /// <summary>In no order; no key twice, but keys may repeat those of other ports.</summary>
    public CompiledFrontend[] Frontends { get; } = frontends;

    /// <summary>Sorted by variant; each variant of <see cref="Frontends"/> is here.</summary>
    public CompiledSegment[] Segments { get; } = segments;

    /// <summary>Of its frontends with <see cref="SvcFlags.SourceRanges"/>.</summary>
    public AddressRange[] SourceRanges { get; } = sourceRanges ?? [];

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
            _sourceRanges = null;
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
        _segments[index] ??= new DesiredSegment(new SegmentKey(Id, Segments[index].Variant), Name, Segments[index].Backends)
        {
            Tail = Segments[index].Tail,
        };

    public DesiredSourceRange[] EmitSourceRanges() =>
        _sourceRanges ??= Array.ConvertAll(SourceRanges, r => new DesiredSourceRange(Id, r.Addr, r.Length));
}
