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
            Assert.Equal(segment.Backends.DistinctBy(b => (b.Addr, b.Port)).OrderBy(b => b.Addr).ThenBy(b => b.Port.Host), segment.Backends);
            Assert.All(segment.Backends, b => Assert.Equal(segment.Key.Variant == SegmentVariant.ClusterIPv4, b.Addr.IsIPv4));
            Assert.All(segment.Backends, b => Assert.Null(AddrClass.Special(b.Addr)));
            Assert.All(segment.Backends, b => Assert.NotEqual(0, b.Port.Host));
        }
        Assert.All(state.Frontends, f => Assert.Null(AddrClass.Special(f.Key.Addr)));
        Assert.Equal(state.Routes.Length, state.Routes.Select(r => r.Destination).Distinct().Count());
        Assert.Equal(state.Issues.Length, state.Issues.DistinctBy(i => (i.Kind, i.Name, i.Reason)).Count());
        Assert.All(state.Issues, i => Assert.True(i.Message.Length < 400, i.Message));
    }
}
