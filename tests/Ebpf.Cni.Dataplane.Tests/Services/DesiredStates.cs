using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>Desired states by hand and at random.</summary>
internal static class DesiredStates
{
    public static SvcKey Key(string address, ushort port = 80) => new(Addr.Parse(address), U16Be.FromHost(port), IpProtocol.Tcp, Scope.Internal);

    public static ServicePortName Name(string service, string port = "") => new(new ObjectName("default", service), port, IpProtocol.Tcp);

    public static DesiredSegment Segment(string service, uint id, params string[] backends) => new(
        new SegmentKey(id, SegmentVariant.ClusterIPv4), Name(service),
        [.. backends.Select(a => new DesiredBackend(Addr.Parse(a), U16Be.FromHost(8080), BackendFlags.None)).OrderBy(b => b.Addr)]);

    public static DesiredFrontend Frontend(string service, uint id, string address, ushort port = 80) =>
        new(Key(address, port), new SegmentKey(id, SegmentVariant.ClusterIPv4), Name(service), SvcFlags.None, 0);

    public static DesiredState State(IEnumerable<DesiredSegment> segments, IEnumerable<DesiredFrontend> frontends) => new()
    {
        Segments = [.. segments.OrderBy(s => s.Owner).ThenBy(s => s.Key.Variant)],
        Frontends = [.. frontends.OrderBy(f => f.Key)],
    };

    /// <summary>One service with one frontend.</summary>
    public static DesiredState Single(string service, uint id, string address, params string[] backends) =>
        State([Segment(service, id, backends)], [Frontend(service, id, address)]);

    public static DesiredState Together(params DesiredState[] parts) =>
        State(parts.SelectMany(p => p.Segments), parts.SelectMany(p => p.Frontends));

    /// <summary>
    /// A few services with one or two ports and families; frontends come from a pool that services steal from each other, a recreated service has another id.
    /// </summary>
    public static DesiredState Random(Random random, int services = 5)
    {
        var segments = new List<DesiredSegment>();
        var frontends = new List<DesiredFrontend>();
        var taken = new HashSet<SvcKey>();
        for (var s = 0; s < services; s++)
        {
            if (random.Next(4) == 0)
                continue;
            var generation = random.Next(2);
            for (var p = 0; p <= random.Next(2); p++)
            {
                var id = (uint)(1 + s + 10 * p + 100 * generation);
                foreach (var variant in new[] { SegmentVariant.ClusterIPv4, SegmentVariant.ClusterIPv6 }.Take(random.Next(1, 3)))
                    AddSegment(new SegmentKey(id, variant), Name($"s{s}", $"p{p}"));
            }
        }
        return State(segments, frontends);

        void AddSegment(SegmentKey key, ServicePortName owner)
        {
            segments.Add(new DesiredSegment(key, owner, Backends(random, key.Variant)));
            for (var f = 0; f <= random.Next(3); f++)
            {
                var home = random.Next(10) == 0 ? random.Next(services) : owner.Service.Name[1] - '0';
                var address = key.Variant == SegmentVariant.ClusterIPv4 ? $"10.96.0.{home}" : $"fd00:96::{home}";
                var frontend = Key(address, (ushort)(80 + random.Next(3)));
                if (taken.Add(frontend))
                    frontends.Add(new DesiredFrontend(frontend, key, owner, (SvcFlags)random.Next(2), random.Next(3) == 0 ? 60u : 0));
            }
        }
    }

    /// <summary>Another service in the place of one, all others by the same objects; or other backends for one segment.</summary>
    public static DesiredState Mutate(Random random, DesiredState state)
    {
        if (random.Next(2) == 0 && state.Segments.Length > 0)
        {
            var at = random.Next(state.Segments.Length);
            var segment = state.Segments[at];
            return state with { Segments = state.Segments.SetItem(at, segment with { Backends = Backends(random, segment.Key.Variant) }) };
        }
        var fresh = Random(random);
        var service = new ObjectName("default", $"s{random.Next(5)}");
        var rest = state.Frontends.Where(f => f.Owner.Service != service).ToList();
        var taken = rest.Select(f => f.Key).ToHashSet();
        return State(
            [.. state.Segments.Where(s => s.Owner.Service != service), .. fresh.Segments.Where(s => s.Owner.Service == service)],
            [.. rest, .. fresh.Frontends.Where(f => f.Owner.Service == service && !taken.Contains(f.Key))]);
    }

    private static ImmutableArray<DesiredBackend> Backends(Random random, SegmentVariant family) =>
        [.. Enumerable.Range(1, 6).Where(_ => random.Next(3) == 0)
            .Select(n => new DesiredBackend(
                Addr.Parse(family == SegmentVariant.ClusterIPv4 ? $"10.244.0.{n}" : $"fd00:244::{n}"), U16Be.FromHost(8080), (BackendFlags)random.Next(2)))];
}
