using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Where a frontend's address comes from; of two that want the same one the lower kind has it.</summary>
internal enum FrontendKind : byte
{
    /// <summary>Handed out by the API server: no external address of another Service may take it over.</summary>
    ClusterIP,

    /// <summary>Written by a controller.</summary>
    LoadBalancer,

    /// <summary>Handed out by the API server too.</summary>
    NodePort,

    /// <summary>
    /// Written by the author of a Service, any address at all: it takes nothing from others. (kube-proxy asks for external IPs before node
    /// ports, so there he does, CVE-2020-8554.)
    /// </summary>
    ExternalIP,

    /// <summary>Last, as the portmap plugin's rules come after kube-proxy's.</summary>
    HostPort,
}

/// <summary>A frontend before its service port has an id.</summary>
internal readonly record struct CompiledFrontend(SvcKey Key, FrontendKind Kind, SegmentVariant Variant, SvcFlags Flags, uint AffinitySec)
{
    /// <summary>Of a cluster IP: it stands for the address itself.</summary>
    public bool IsRejectEntry => Kind == FrontendKind.ClusterIP && Key.Port == default && Key.Proto == 0;

    /// <summary>Of the node itself: there is none at a cluster IP.</summary>
    public bool IsOfNode => Kind is FrontendKind.NodePort or FrontendKind.HostPort;

    /// <summary>The same address, port and protocol, for whomever: what services may want of each other.</summary>
    public SvcKey Target => Key with { Scope = Scope.Internal };
}

/// <summary>A list of backends that frontends of a service port may share.</summary>
internal readonly record struct CompiledSegment(
    SegmentVariant Variant, ImmutableArray<DesiredBackend> Backends, ImmutableArray<DesiredBackend> Tail);

/// <summary>One service port as compiled: what follows from its service and slices alone.</summary>
internal sealed class CompiledPort(
    ServicePortName name, string uid, CompiledFrontend[] frontends, CompiledSegment[] segments, AddressRange[]? sourceRanges = null)
{
    public ServicePortName Name { get; } = name;

    /// <summary>The service's.</summary>
    public string Uid { get; } = uid;

    /// <summary>In no order; no key twice, but keys may repeat those of other ports.</summary>
    public CompiledFrontend[] Frontends { get; } = frontends;

    /// <summary>Sorted by variant; each variant of <see cref="Frontends"/> is here.</summary>
    public CompiledSegment[] Segments { get; } = segments;

    /// <summary>Of its frontends with <see cref="SvcFlags.SourceRanges"/>.</summary>
    public AddressRange[] SourceRanges { get; } = sourceRanges ?? [];

    /// <summary>It wants the same addresses, in the same right.</summary>
    public bool ClaimsTheSame(CompiledPort other)
    {
        if (Frontends.Length != other.Frontends.Length)
            return false;
        for (var i = 0; i < Frontends.Length; i++)
            if (Frontends[i].Key != other.Frontends[i].Key || Frontends[i].Kind != other.Frontends[i].Kind)
                return false;
        return true;
    }
}
