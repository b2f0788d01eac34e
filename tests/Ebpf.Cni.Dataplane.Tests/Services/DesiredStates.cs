using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>Desired states by hand and at random.</summary>
internal static class DesiredStates
{
    public static SvcKey Key(string address, ushort port = 80) =>
        new(Addr.Parse(address), U16Be.FromHost(port), IpProtocol.Tcp, Scope.Internal);

    public static ServicePortName Name(string service, string port = "") => new(new ObjectName("default", service), port, IpProtocol.Tcp);

    public static DesiredSegment Segment(string service, uint id, params string[] backends) => new(
        new SegmentKey(id, SegmentVariant.ClusterIPv4), Name(service),
        [.. backends.Select(a => new DesiredBackend(Addr.Parse(a), U16Be.FromHost(8080), BackendFlags.None)).OrderBy(b => b.Addr)]);

    public static DesiredFrontend Frontend(string service, uint id, string address, ushort port = 80) =>
        new(Key(address, port), new SegmentKey(id, SegmentVariant.ClusterIPv4), Name(service), SvcFlags.None, 0);

    /// <summary>Of parts in any order; the ports that are in <paramref name="before"/> as well are the same objects.</summary>
    public static DesiredState State(
        IEnumerable<DesiredSegment> segments,
        IEnumerable<DesiredFrontend> frontends,
        IEnumerable<DesiredSourceRange>? ranges = null,
        DesiredState? before = null)
    {
        var (segmentsById, rangesById) = (segments.ToLookup(s => s.Key.ServiceId), (ranges ?? []).ToLookup(r => r.ServiceId));
        var ports = ImmutableSortedDictionary.CreateBuilder<ServicePortName, DesiredPort>();
        foreach (var port in frontends.GroupBy(f => (f.Owner, f.Segment.ServiceId)))
        {
            var made = new DesiredPort(
                port.Key.Owner, port.Key.ServiceId,
                [.. port.OrderBy(f => f.Key)],
                [.. segmentsById[port.Key.ServiceId].Where(s => port.Any(f => f.Segment == s.Key)).OrderBy(s => s.Key.Variant)],
                [.. rangesById[port.Key.ServiceId].OrderBy(r => r.Addr).ThenBy(r => r.PrefixLength)]);
            ports.Add(port.Key.Owner, before?.Ports.GetValueOrDefault(port.Key.Owner) is { } known && known == made ? known : made);
        }
        return new DesiredState { Ports = ports.ToImmutable() };
    }

    public static DesiredSourceRange Range(uint id, string prefix)
    {
        var network = System.Net.IPNetwork.Parse(prefix);
        return new DesiredSourceRange(id, Addr.From(network.BaseAddress), network.PrefixLength);
    }

    /// <summary>One service with one frontend.</summary>
    public static DesiredState Single(string service, uint id, string address, params string[] backends) =>
        State([Segment(service, id, backends)], [Frontend(service, id, address)]);

    public static DesiredState Together(params DesiredState[] parts) =>
        State(parts.SelectMany(p => p.Segments), parts.SelectMany(p => p.Frontends), parts.SelectMany(p => p.SourceRanges));

    /// <summary>
    /// A few services with one or two ports and families; frontends come from a pool that services steal from each other, a recreated
    /// service has another id.
    /// </summary>
    public static DesiredState Random(Random random, int services = 5)
    {
        var segments = new List<DesiredSegment>();
        var frontends = new List<DesiredFrontend>();
        var ranges = new List<DesiredSourceRange>();
        var taken = new HashSet<SvcKey>();
        for (var s = 0; s < services; s++)
        {
            if (random.Next(4) == 0)
                continue;
            var generation = random.Next(2);
            for (var p = 0; p <= random.Next(2); p++)
            {
                var id = (uint)(1 + s + 10 * p + 100 * generation);
                var ranged = random.Next(4) == 0;
                if (ranged)
                    ranges.AddRange(Ranges(random, id));
                foreach (var variant in Variants.Where((v, i) => i == 0 || random.Next(3) == 0))
                    AddSegment(new SegmentKey(id, variant), Name($"s{s}", $"p{p}"), ranged);
            }
        }
        return State(segments, frontends, ranges);

        void AddSegment(SegmentKey key, ServicePortName owner, bool ranged)
        {
            segments.Add(Fill(random, new DesiredSegment(key, owner, [])));
            for (var f = 0; f <= random.Next(3); f++)
            {
                var home = random.Next(10) == 0 ? random.Next(services) : owner.Service.Name[1] - '0';
                var frontend = FrontendKey(random, key.Variant, home);
                if (taken.Add(frontend))
                    frontends.Add(new DesiredFrontend(
                        frontend, key, owner, (SvcFlags)random.Next(2) | (ranged ? SvcFlags.SourceRanges : 0),
                        random.Next(3) == 0 ? 60u : 0));
            }
        }
    }

    /// <summary>
    /// Another service in the place of one, all others by the same objects; or other backends
    /// for one segment. As a compile does it, the state often tells where it differs.
    /// </summary>
    public static DesiredState Mutate(Random random, DesiredState state)
    {
        var after = Change(random, state);
        return random.Next(4) == 0
            ? after
            : after with { PortChanges = new(state.Ports, [.. KeyedDifference.Between(state.Ports, after.Ports, null)]) };
    }

    private static DesiredState Change(Random random, DesiredState state)
    {
        if (random.Next(2) == 0 && state.Segments.Length > 0)
        {
            var at = random.Next(state.Segments.Length);
            return State(state.Segments.SetItem(at, Fill(random, state.Segments[at])), state.Frontends, state.SourceRanges, state);
        }
        if (random.Next(4) == 0 && state.SourceRanges.Length > 0)
        {
            var id = state.SourceRanges[random.Next(state.SourceRanges.Length)].ServiceId;
            return State(
                state.Segments, state.Frontends, [.. state.SourceRanges.Where(r => r.ServiceId != id), .. Ranges(random, id)], state);
        }
        var fresh = Random(random);
        var service = new ObjectName("default", $"s{random.Next(5)}");
        var rest = state.Frontends.Where(f => f.Owner.Service != service).ToList();
        var taken = rest.Select(f => f.Key).ToHashSet();
        return State(
            [.. state.Segments.Where(s => s.Owner.Service != service), .. fresh.Segments.Where(s => s.Owner.Service == service)],
            [.. rest, .. fresh.Frontends.Where(f => f.Owner.Service == service && !taken.Contains(f.Key))],
            [
                .. state.SourceRanges.Where(r => OwnerOf(state, r) != service),
                .. fresh.SourceRanges.Where(r => OwnerOf(fresh, r) == service),
            ],
            state);
    }

    private static readonly SegmentVariant[] Variants =
        [SegmentVariant.ClusterIPv4, SegmentVariant.ClusterIPv6, SegmentVariant.LocalIPv4, SegmentVariant.LocalIPv6, SegmentVariant.None];

    private static bool IsIPv6(SegmentVariant variant) => variant is SegmentVariant.ClusterIPv6 or SegmentVariant.LocalIPv6;

    private static ObjectName OwnerOf(DesiredState state, DesiredSourceRange range) =>
        state.Segments.First(s => s.Key.ServiceId == range.ServiceId).Owner.Service;

    /// <summary>Local lists are asked for from outside; markers stand for an address.</summary>
    private static SvcKey FrontendKey(Random random, SegmentVariant variant, int home)
    {
        var address = Addr.Parse(IsIPv6(variant) ? $"fd00:96::{home}" : $"10.96.0.{home}");
        return variant switch
        {
            SegmentVariant.None => new SvcKey(address, default, default, Scope.Internal),
            SegmentVariant.LocalIPv4 or SegmentVariant.LocalIPv6 =>
                new SvcKey(address, U16Be.FromHost((ushort)(80 + random.Next(3))), IpProtocol.Tcp, Scope.External),
            _ => new SvcKey(address, U16Be.FromHost((ushort)(80 + random.Next(3))), IpProtocol.Tcp, Scope.Internal),
        };
    }

    private static IEnumerable<DesiredSourceRange> Ranges(Random random, uint id) =>
        new[] { "192.0.2.0/24", "198.51.100.7/32", "0.0.0.0/0", "2001:db8::/32", "::/0" }.Where(
            (_, i) => i == random.Next(5) || random.Next(3) == 0)
            .Select(prefix => Range(id, prefix)).DefaultIfEmpty(Range(id, "203.0.113.0/24"));

    /// <summary>Other backends for a segment, chosen ones and a tail.</summary>
    private static DesiredSegment Fill(Random random, DesiredSegment segment)
    {
        if (segment.Key.Variant == SegmentVariant.None)
            return segment with { Backends = [] };
        var all = Enumerable.Range(1, 6).Select(n => (Lot: random.Next(6), Backend: new DesiredBackend(
            Addr.Parse(IsIPv6(segment.Key.Variant) ? $"fd00:244::{n}" : $"10.244.0.{n}"), U16Be.FromHost(8080),
            (BackendFlags)random.Next(2)))).ToList();
        return segment with { Backends = [.. all.Where(b => b.Lot < 2).Select(b => b.Backend)],
            Tail = [.. all.Where(b => b.Lot == 2).Select(b => b.Backend)] };
    }
}
