using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

public sealed class NetworkEventsTests : PrivilegedTest
{
    private const byte Mine = 101, Bird = 12;

    private readonly VethPair _veth;

    public NetworkEventsTests() => _veth = Own(new VethPair());

    public static TheoryData<RouteEvents> Selections =>
    [
        RouteEvents.None, RouteEvents.OfProtocol, RouteEvents.Replacements, RouteEvents.Defaults,
        RouteEvents.OfProtocol | RouteEvents.Replacements, RouteEvents.All,
    ];

    [Theory]
    [MemberData(nameof(Selections))]
    public void Of_routes_the_kernel_tells_what_was_asked_for_and_nothing_else(RouteEvents selection)
    {
        var events = Open(new NetworkSubscription { Routes = selection, Protocol = Mine, NextHops = false });
        foreach (var network in (string[])["10.5.0.0/16", "fd05::/64"])
        {
            var mine = Route(network, Mine);
            _veth.Netlink.AddRoute(mine);
            _veth.Netlink.DeleteRoute(mine);
            var birds = Route(network, Bird);
            _veth.Netlink.AddRoute(birds);
            _veth.Netlink.ReplaceRoute(birds with { Mtu = 1400 });
            _veth.Netlink.DeleteRoute(birds);
            _veth.Netlink.AddRoute(birds with { Table = 77 });
            _veth.Netlink.AddRoute(birds with { Table = 7700 });
        }

        foreach (var network in (string[])["0.0.0.0/0", "::/0"])
            _veth.Netlink.AddRoute(Route(network, Bird));
        var expected = new List<string>();
        foreach (var network in (string[])["10.5.0.0/16", "fd05::/64"])
        {
            if (Has(RouteEvents.OfProtocol))
                expected.AddRange([$"RouteSet {network} of 101", $"RouteGone {network} of 101"]);
            if (Has(RouteEvents.All))
                expected.Add($"RouteSet {network} of 12");
            if (Has(RouteEvents.Replacements))
                expected.Add($"RouteSet {network} of 12 replaces");
            if (Has(RouteEvents.All))
                expected.Add($"RouteGone {network} of 12");
        }

        if (Has(RouteEvents.Defaults))
            expected.AddRange(["RouteSet 0.0.0.0/0 of 12", "RouteSet ::/0 of 12"]);
        var told = Read(events);
        Assert.Equal(expected, told.Where(IsRoutes).Where(e => e.Protocol is Mine or Bird).Select(Text));
        Assert.All(told.Where(e => e.Protocol is Mine or Bird), e => Assert.Equal(_veth.Netlink.Port, e.Requester));

        // A wider selection holds from then on.
        events.Subscribe(new NetworkSubscription());
        _veth.Netlink.AddRoute(Route("10.6.0.0/16", Bird));
        Assert.Contains("RouteSet 10.6.0.0/16 of 12", Read(events).Select(Text));

        bool Has(RouteEvents kind) => selection.HasFlag(kind) || selection.HasFlag(RouteEvents.All);
    }

    [Fact]
    public void Interfaces_addresses_and_neighbours_are_told_as_they_are()
    {
        var address = IPAddress.Parse("10.7.0.1");
        var all = Open(new NetworkSubscription { NeighboursAndSettings = true });
        var losses = Open(new NetworkSubscription { NeighboursAndSettings = true, Arrivals = false });
        _veth.Netlink.AddAddress(_veth.NearIndex, address, 32);
        _veth.Netlink.ReplaceNeighbour(_veth.NearIndex, IPAddress.Parse("10.7.0.2"), [2, 0, 0, 0, 0, 2]);
        Assert.Contains(
            Read(all),
            e => e is { Kind: NetworkEventKind.NeighbourSet, Permanent: true } && e.Address!.Equals(IPAddress.Parse("10.7.0.2")));
        Assert.DoesNotContain(Read(losses), e => e.Kind is NetworkEventKind.NeighbourSet or NetworkEventKind.AddressSet);
        _veth.Netlink.ReplaceNeighbour(_veth.NearIndex, IPAddress.Parse("10.7.0.2"), [2, 0, 0, 0, 0, 2], permanent: false);
        _veth.Netlink.DeleteNeighbour(_veth.NearIndex, IPAddress.Parse("10.7.0.2"));
        _veth.Netlink.DeleteAddress(_veth.NearIndex, address, 32);
        _veth.Netlink.SetMtu(_veth.NearIndex, 1300);
        _veth.Netlink.SetDown(_veth.NearIndex);
        _veth.Namespace.Run(() => File.WriteAllText(
            $"/proc/sys/net/ipv4/conf/{_veth.Netlink.FindLink(_veth.NearIndex)!.Name}/forwarding", "1"));
        _veth.Namespace.Run(() => File.WriteAllText(
            $"/proc/sys/net/ipv4/conf/{_veth.Netlink.FindLink(_veth.NearIndex)!.Name}/forwarding", "0"));
        foreach (var events in (NetworkEvents[])[all, losses])
        {
            var told = Read(events).FindAll(e => e.Ifindex == _veth.NearIndex);
            Assert.Contains(told, e => e is { Kind: NetworkEventKind.NeighbourSet, Permanent: false });
            Assert.Contains(told, e => e.Kind == NetworkEventKind.NeighbourGone);
            Assert.Contains(told, e => e.Kind == NetworkEventKind.AddressGone && address.Equals(e.Address));
            Assert.Contains(told, e => e is { Kind: NetworkEventKind.LinkSet, Up: true, WentDown: false });
            Assert.Contains(
                told, e => e is { Kind: NetworkEventKind.LinkSet, Up: false, WentDown: true, Mac.Length: 6 } && e.Name!.Length > 0);
            Assert.Contains(told, e => e is { Kind: NetworkEventKind.Setting, ForwardingOff: true });
        }

        // What is born switched off has not gone down.
        var born = _veth.Netlink.AddVeth("born", "peer").Index;
        Assert.DoesNotContain(Read(all), e => e.Ifindex == born && e.WentDown);
    }

    [Fact]
    public void Messages_that_did_not_fit_are_told_as_lost()
    {
        var events = Open(new NetworkSubscription());
        for (var i = 0; i < 30_000; i++)
            _veth.Netlink.ReplaceRoute(Route("10.5.0.0/16", Bird) with { Mtu = 1300 + i % 100 });
        Assert.Contains(Read(events), e => e.Kind == NetworkEventKind.Lost);
        Assert.Empty(Read(events));
    }

    [Fact]
    public void A_dump_of_one_owners_routes_gives_no_others()
    {
        for (var i = 0; i < 200; i++)
            _veth.Netlink.AddRoute(Route($"10.5.{i}.0/24", Bird));
        _veth.Netlink.AddRoute(Route("10.6.0.0/16", Mine));
        _veth.Netlink.AddRoute(Route("fd06::/64", Mine));
        _veth.Netlink.AddRoute(Route("0.0.0.0/0", Bird));
        Assert.Equal(["10.6.0.0/16", "fd06::/64"], _veth.Netlink.Routes(Mine).Select(r => r.Destination.ToString()));
        Assert.Equal(["0.0.0.0/0"], _veth.Netlink.DefaultRoutes().Select(r => r.Destination.ToString()));
        Assert.True(_veth.Netlink.Routes().Count >= 203);
        Assert.Empty(_veth.Netlink.Routes(table: 7700));
        Assert.True(_veth.Namespace.Run(() => RouteNetlink.LeadsToANetwork(_veth.NearIndex, Mine)));
        Assert.False(_veth.Namespace.Run(() => RouteNetlink.LeadsToANetwork(1, Mine)));
        Assert.False(_veth.Namespace.Run(() => RouteNetlink.LeadsToANetwork(12345, Mine)));

        // The kernel itself gives no others: these are all of its messages.
        using var socket = _veth.Namespace.Run(() => NetlinkSocket.Open());
        var messages = 0;
        socket.Dump(
            NetlinkRequest.Create(
                MessageType.GetRoute, MessageFlags.Dump,
                new RouteHeader { Family = AddressFamilies.IPv4, Protocol = Mine, Table = (byte)Kernel.Netlink.Route.MainTable }),
            "count", MessageType.NewRoute, payload =>
            {
                messages++;
                return (object?)null;
            });
        Assert.Equal(1, messages);
    }

    private NetworkEvents Open(NetworkSubscription subscription) => Own(_veth.Namespace.Run(() => NetworkEvents.Open(subscription)));

    private Route Route(string network, byte protocol) => new(IPNetwork.Parse(network), _veth.NearIndex) { Protocol = protocol };

    private static List<NetworkEvent> Read(NetworkEvents events)
    {
        var told = new List<NetworkEvent>();
        events.Read(told.Add);
        return told;
    }

    private static bool IsRoutes(NetworkEvent told) => told.Kind is NetworkEventKind.RouteSet or NetworkEventKind.RouteGone;

    private static string Text(NetworkEvent told) =>
        $"{told.Kind} {told.Destination} of {told.Protocol}{(told.Replaces ? " replaces" : "")}";
}
