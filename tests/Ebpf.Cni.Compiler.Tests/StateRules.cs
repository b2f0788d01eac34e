using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>What holds for every desired state, whatever it was compiled from.</summary>
internal static class StateRules
{
    public static void Check(DesiredState state)
    {
        var keys = state.Frontends.Select(f => f.Key).ToList();
        Assert.Equal(keys.Distinct().Order(), keys);
        Assert.Equal(state.Segments.OrderBy(s => s.Owner).ThenBy(s => s.Key.Variant), state.Segments);
        var segments = state.Segments.ToDictionary(s => s.Key);
        Assert.Equal(segments.Keys.ToHashSet(), state.Frontends.Select(f => f.Segment).ToHashSet());
        Assert.All(state.Frontends, f => Assert.Equal(f.Owner, segments[f.Segment].Owner));

        Assert.All(state.Segments, s => Assert.Equal(s.Key.ServiceId, state.Ids.ByName[s.Owner]));
        Assert.Equal(state.Segments.Select(s => s.Owner).ToHashSet(), state.Ids.ByName.Keys.ToHashSet());
        Assert.Equal(state.Ids.ByName.Count, state.Ids.ByName.Values.Distinct().Count());
        Assert.DoesNotContain(0u, state.Ids.ByName.Values);
        Assert.Empty(state.Ids.Restored);

        foreach (var segment in state.Segments)
        {
            var ipv4 = segment.Key.Variant is SegmentVariant.ClusterIPv4 or SegmentVariant.LocalIPv4;
            foreach (var run in new[] { segment.Backends, segment.Tail })
            {
                Assert.Equal(run.DistinctBy(b => (b.Addr, b.Port)).OrderBy(b => b.Addr).ThenBy(b => b.Port.Host), run);
                Assert.All(run, b => Assert.Equal(ipv4, b.Addr.IsIPv4));
                Assert.All(run, b => Assert.Null(AddrClass.Special(b.Addr)));
                Assert.All(run, b => Assert.NotEqual(0, b.Port.Host));
            }
            Assert.Empty(segment.Backends.IntersectBy(segment.Tail.Select(b => (b.Addr, b.Port)), b => (b.Addr, b.Port)));
            if (segment.Key.Variant is SegmentVariant.LocalIPv4 or SegmentVariant.LocalIPv6)
                Assert.All(segment.Backends, b => Assert.Equal(BackendFlags.Local, b.Flags));
            if (segment.Key.Variant == SegmentVariant.None)
                Assert.Equal((0, 0), (segment.Backends.Length, segment.Tail.Length));
        }
        foreach (var frontend in state.Frontends)
            CheckFrontend(frontend, segments[frontend.Segment], state);
        Assert.Equal(state.SourceRanges.Distinct().OrderBy(r => r.ServiceId).ThenBy(r => r.Addr).ThenBy(r => r.PrefixLength),
            state.SourceRanges);
        Assert.All(state.SourceRanges, r => AssertPrefix(r.Addr, r.PrefixLength));
        Assert.Equal(state.Prefixes.OrderBy(p => p.Addr).ThenBy(p => p.PrefixLength), state.Prefixes);
        Assert.Equal(state.Prefixes.Length, state.Prefixes.DistinctBy(p => (p.Addr, p.PrefixLength)).Count());
        Assert.All(state.Prefixes, p => AssertPrefix(p.Addr, p.PrefixLength));
        Assert.All(state.Prefixes, p => Assert.NotEqual(IpcacheFlags.None, p.Flags));
        Assert.Equal(state.HealthChecks.OrderBy(c => c.Service), state.HealthChecks);
        Assert.Equal(state.HealthChecks.Length, state.HealthChecks.DistinctBy(c => c.Port).Count());
        Assert.All(state.HealthChecks, c => Assert.True(c.Port > 0 && c.LocalEndpoints >= 0));
        Assert.Equal(state.Routes.Length, state.Routes.Select(r => r.Destination).Distinct().Count());
        Assert.Equal(state.Issues.Length, state.Issues.DistinctBy(i => (i.Kind, i.Name, i.Reason)).Count());
        Assert.All(state.Issues, i => Assert.True(i.Message.Length < 400, i.Message));
    }

    private static void CheckFrontend(DesiredFrontend frontend, DesiredSegment segment, DesiredState state)
    {
        var (key, flags) = (frontend.Key, frontend.Flags);
        if (segment.Key.Variant == SegmentVariant.None)
        {
            Assert.Equal(0u, frontend.AffinitySec);
            if (flags == SvcFlags.NodeServer)
            {
                Assert.True(key.Scope == Scope.Internal && key.Port != default
                    && state.Frontends.Any(f => f.Key.Addr == key.Addr && f.Flags == SvcFlags.Address), $"{frontend}");
                return;
            }
            Assert.Equal(key.Scope == Scope.Bind ? (SvcFlags.None, default(Addr)) : (SvcFlags.Address, key.Addr), (flags, key.Addr));
            Assert.Equal(key.Scope == Scope.Internal, key.Port == default && key.Proto == 0);
            return;
        }
        Assert.NotEqual(Scope.Bind, key.Scope);
        Assert.True(flags.HasFlag(SvcFlags.KeepSource) == (key.Scope == Scope.External), $"{frontend}");
        Assert.True(!flags.HasFlag(SvcFlags.DropEmpty) || segment.Backends.IsEmpty, $"{frontend}");
        Assert.True(!flags.HasFlag(SvcFlags.SourceRanges) || state.SourceRanges.Any(r => r.ServiceId == frontend.Segment.ServiceId),
            $"{frontend}");
        Assert.Equal(segment.Key.Variant is SegmentVariant.ClusterIPv4 or SegmentVariant.LocalIPv4, key.Addr.IsIPv4);
        if (key.Addr == Addr.Parse("127.0.0.1"))
            Assert.Equal(Scope.Internal, key.Scope);
        else
            Assert.Null(AddrClass.Special(key.Addr));
        // nobody gets from outside what somebody else gets inside
        if (key.Scope == Scope.External)
            Assert.Equal(frontend.Owner, state.Frontends.Single(f => f.Key == key with { Scope = Scope.Internal }).Owner);
    }

    private static void AssertPrefix(Addr address, int length)
    {
        var bits = address.IsIPv4 ? 96 + length : length;
        Assert.InRange(bits, 0, 128);
        Assert.Equal(UInt128.Zero, bits == 128 ? 0 : AddrNumber.Of(address) << bits);
    }
}
