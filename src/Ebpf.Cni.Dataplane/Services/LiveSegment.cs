using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// A segment of the backend table that frontends point to, or are about to: the backends to choose from, and behind them the tail.
/// </summary>
public sealed class LiveSegment
{
    public LiveSegment(Extent extent, uint serviceId, IpProtocol protocol,
        ImmutableArray<DesiredBackend> backends, ImmutableArray<DesiredBackend> tail)
    {
        Extent = extent;
        ServiceId = serviceId;
        Protocol = protocol;
        Backends = backends;
        Tail = tail;
        Trusted = !backends.IsDefault;
    }

    /// <summary>Backends and tail together.</summary>
    public Extent Extent { get; }

    public uint ServiceId { get; }

    /// <summary>Of its service port.</summary>
    public IpProtocol Protocol { get; }

    /// <summary>What new connections go to; default when that was never known.</summary>
    public ImmutableArray<DesiredBackend> Backends { get; }

    /// <summary>What serves but is not chosen.</summary>
    public ImmutableArray<DesiredBackend> Tail { get; }

    /// <summary>It holds what it says; one that does not (damaged) serves no desired segment.</summary>
    public bool Trusted { get; private set; }

    /// <summary>Frontends that point to it, or may do so.</summary>
    public int References { get; internal set; }

    /// <summary>All that serve; empty when unknown.</summary>
    internal IEnumerable<DesiredBackend> All => Backends.IsDefault ? [] : Backends.Concat(Tail);

    internal void Distrust() => Trusted = false;

    internal bool Holds(uint serviceId, DesiredSegment wanted) =>
        Trusted && ServiceId == serviceId && Same(Backends, wanted.Backends) && Same(Tail, wanted.Tail);

    /// <summary>
    /// Writes elements out as the table has them, beginning with the <paramref name="first"/>, as many as there are and fit.
    /// </summary>
    internal void Render(int first, Span<Backend> into)
    {
        for (var i = 0; i < into.Length && first + i < (int)Extent.Count; i++)
        {
            var at = first + i;
            var one = at < Backends.Length ? Backends[at] : Tail[at - Backends.Length];
            into[i] = new Backend(one.Addr, one.Port, one.Flags, ServiceId);
        }
    }

    private static bool Same(ImmutableArray<DesiredBackend> a, ImmutableArray<DesiredBackend> b) =>
        a == b || a.AsSpan().SequenceEqual(b.AsSpan());
}
