using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Sync.Apply;

namespace Ebpf.Cni.Sync.Tests.Apply;

/// <summary>Between two states of destinations nothing that a route leads into the tunnel lacks its entry.</summary>
public class PrefixTransitionTests
{
    private static readonly DesiredPrefix Direct = Prefix("10.244.1.0/24", null);
    private static readonly DesiredPrefix Tunnelled = Prefix("10.244.1.0/24", "172.31.0.3");
    private static readonly DesiredPrefix Other = Prefix("10.244.0.0/24", null);

    [Fact]
    public void What_becomes_tunnelled_is_so_at_once() => Assert.Equal([Other, Tunnelled], Between([Other, Direct], [Other, Tunnelled]));

    [Fact]
    public void What_becomes_direct_stays_tunnelled_until_the_routes_have_changed() =>
        Assert.Equal([Other, Tunnelled], Between([Other, Tunnelled], [Other, Direct]));

    [Fact]
    public void So_does_what_goes() => Assert.Equal([Other, Tunnelled], Between([Other, Tunnelled], [Other]));

    [Fact]
    public void A_tunnel_to_another_address_changes_at_once()
    {
        var moved = Prefix("10.244.1.0/24", "172.31.0.4");
        Assert.Equal([moved], Between([Tunnelled], [moved]));
    }

    [Fact]
    public void What_was_not_tunnelled_goes_at_once() => Assert.Equal([Other], Between([Other, Direct], [Other]));

    [Fact]
    public void Without_a_past_there_is_nothing_between() => Assert.Equal([Direct], PrefixTransition.Between(default, [Direct]));

    private static ImmutableArray<DesiredPrefix> Between(ImmutableArray<DesiredPrefix> before, ImmutableArray<DesiredPrefix> after) =>
        PrefixTransition.Between(before, after);

    private static DesiredPrefix Prefix(string network, string? tunnel)
    {
        var parsed = IPNetwork.Parse(network);
        return new DesiredPrefix(Addr.From(parsed.BaseAddress), parsed.PrefixLength, IpcacheFlags.Pod,
            tunnel is null ? null : Addr.Parse(tunnel));
    }
}
