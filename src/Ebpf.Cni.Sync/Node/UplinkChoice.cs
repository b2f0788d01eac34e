using System.Collections.Immutable;
using System.IO.Enumeration;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Sync.Node;

/// <summary>A device that should be an uplink and cannot.</summary>
/// <param name="Name">Of the device.</param>
/// <param name="Cause">A sentence's end: "eth1 ...".</param>
public sealed record UnfitUplink(string Name, string Cause)
{
    /// <summary>It could be one, if the operator says so.</summary>
    public bool Doubtful { get; init; }
}

/// <summary>
/// What made which devices uplinks when it was there last: "IPv4 default route" or an InternalIP, and names, since a device that is
/// replaced has another index.
/// </summary>
public sealed record UplinkMemory(ImmutableDictionary<string, ImmutableArray<string>> Devices)
{
    public static readonly UplinkMemory None = new(ImmutableDictionary<string, ImmutableArray<string>>.Empty);
}

/// <summary>
/// Which devices are the node's uplinks: by the operator's patterns, or those of the default routes and of the node's InternalIPs, and
/// those that lead to other networks (<see cref="OtherNetworks"/>). Pure.
/// <para>Programs belong on the device that has the addresses and routes: a VLAN device, not the one below it; a bond or bridge, not its
/// members.</para>
/// </summary>
/// <param name="Devices">By index.</param>
/// <param name="Unfit">By name; reported to the operator.</param>
/// <param name="Memory">For the next choice.</param>
internal sealed record UplinkChoice(ImmutableArray<LinkInfo> Devices, ImmutableArray<UnfitUplink> Unfit, UplinkMemory Memory)
{
    private const string Loopback = "lo";

    private const string Network = "network of ";

    private const string NotServed =
        "NodePorts, external and load balancer addresses are not served on it, and pods' traffic through it is not masqueraded";

    /// <summary>
    /// Those of <see cref="Devices"/> that are there for a network beside the default routes' and the InternalIPs' alone, by index.
    /// </summary>
    public ImmutableHashSet<int> Beside { get; private init; } = [];

    public static UplinkChoice Of(
        NodeNetworkState state, IReadOnlyCollection<IPAddress> internalIPs, ImmutableArray<string> patterns, UplinkMemory memory)
    {
        var candidates = state.Links.Where(l => l.Name != Loopback).OrderBy(l => l.Index).ToList();
        if (!patterns.IsEmpty)
        {
            return Fit(
                state, candidates.FindAll(l => patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, l.Name, ignoreCase: false))),
                UplinkMemory.None);
        }

        // A route or an address that is away for a moment (DHCP, a link that is set up anew) does not take the uplink along, let alone make
        // another device one: what it named last counts as long as that is there.
        var reasons = Reasons(state, candidates, internalIPs).ToImmutableDictionary(r => r.Reason, r => r.Devices);
        var known = reasons.Where(r => !r.Value.IsEmpty)
            .Concat(memory.Devices.Where(m => reasons.TryGetValue(m.Key, out var now) && now.IsEmpty)).ToImmutableDictionary();
        var chosen = known.Values.SelectMany(names => names).ToHashSet();
        var main = known.Where(k => !k.Key.StartsWith(Network, StringComparison.Ordinal)).SelectMany(k => k.Value).ToHashSet();
        // Without a default route and not yet in the API: any device with a public address.
        var fit = Fit(
            state,
            main.Count == 0
                ? candidates.FindAll(l => l.Up && IsOfTheNetwork(state, l)
                    && state.Addresses.Any(a => a.Ifindex == l.Index && NodeAddressing.IsPublic(a.Address)))
                : candidates.FindAll(l => chosen.Contains(l.Name)),
            new UplinkMemory(known));
        var reported = fit.Unfit.Select(u => u.Name).ToHashSet();
        return fit with
        {
            Beside = main.Count == 0 ? [] : [.. fit.Devices.Where(l => !main.Contains(l.Name)).Select(l => l.Index)],
            Unfit =
            [
                .. fit.Unfit.Concat(candidates.Where(l => !chosen.Contains(l.Name) && !reported.Contains(l.Name))
                    .Select(l => Untaken(state, l)).OfType<UnfitUplink>())
                    .OrderBy(u => u.Name, StringComparer.Ordinal),
            ],
        };
    }

    private static UnfitUplink? Untaken(NodeNetworkState state, LinkInfo link) => OtherNetworks.Of(state, link) switch
    {
        NetworkKind.Doubtful =>
            new UnfitUplink(link.Name, $"may lead to a network or to containers and is not used: {NotServed}") { Doubtful = true },
        NetworkKind.WithoutEthernet => new UnfitUplink(link.Name, $"is not an Ethernet device: {NotServed}"),
        _ => null,
    };

    private static IEnumerable<(string Reason, ImmutableArray<string> Devices)> Reasons(
        NodeNetworkState state, List<LinkInfo> candidates, IEnumerable<IPAddress> internalIPs)
    {
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            var routes = state.DefaultRoutes
                .Where(r => r.Destination.BaseAddress.AddressFamily == family).Select(r => r.Ifindex).ToHashSet();
            yield return (family == AddressFamily.InterNetwork ? "IPv4 default route" : "IPv6 default route", Names(routes.Contains));
        }

        foreach (var address in internalIPs.Distinct())
            yield return (address.ToString(), Names(i => state.Addresses.Any(a => a.Ifindex == i && a.Address.Equals(address))));

        foreach (var link in candidates)
            yield return ($"{Network}{link.Name}", OtherNetworks.Of(state, link) == NetworkKind.Outside ? [link.Name] : []);

        ImmutableArray<string> Names(Predicate<int> chosen) => [.. candidates.Where(l => chosen(l.Index)).Select(l => l.Name)];
    }

    private static UplinkChoice Fit(NodeNetworkState state, List<LinkInfo> chosen, UplinkMemory memory)
    {
        var unfit = chosen.Select(l => (Link: l, Cause: Unfitness(state, l))).Where(u => u.Cause is not null).ToList();
        return new UplinkChoice(
            [.. chosen.Where(l => unfit.TrueForAll(u => u.Link != l))],
            [.. unfit.Select(u => new UnfitUplink(u.Link.Name, u.Cause!)).OrderBy(u => u.Name, StringComparer.Ordinal)],
            memory);
    }

    private static string? Unfitness(NodeNetworkState state, LinkInfo link)
    {
        if (!link.Ethernet)
            return $"is not an Ethernet device: {NotServed}";
        // Frames of a member are its master's: there they would be translated a second time. (A VRF has members that keep their frames.)
        return state.Links.FirstOrDefault(l => l.Index == link.Master) is { Kind: "bond" or "team" or "bridge" } master
            ? $"is a member of {master.Name}: its traffic is served there if {master.Name} is an uplink"
            : null;
    }

    /// <summary>Not a bridge of containers or virtual machines, a tunnel or the like.</summary>
    private static bool IsOfTheNetwork(NodeNetworkState state, LinkInfo link) => link.Kind switch
    {
        "bridge" => state.Links.Any(l => l.Master == link.Index && (l.Kind is "" or "bond" or "team" or "vlan")),
        var kind => kind is "" or "veth" or "bond" or "team" or "vlan" or "macvlan" or "ipvlan",
    };
}
