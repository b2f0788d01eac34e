using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>The kinds of netlink events.</summary>
public enum NetworkEventKind
{
    /// <summary>Messages were lost, or one cannot be read: it may have been anything.</summary>
    Lost,

    /// <summary>An interface is new, or something about it has changed.</summary>
    LinkSet,
    LinkGone,
    AddressSet,
    AddressGone,

    /// <summary>A route is new, or has taken another's place (<see cref="NetworkEvent.Replaces"/>).</summary>
    RouteSet,
    RouteGone,
    NeighbourSet,
    NeighbourGone,

    /// <summary>A setting of an interface, or of all.</summary>
    Setting,

    /// <summary>A next hop object.</summary>
    NextHop,
}

/// <summary>
/// A change of a network. netlink does not report all: IPv4 routes that go with
/// their interface, or with an address, are removed without an event, while IPv6's are reported.
/// </summary>
/// <param name="Kind">Of what.</param>
/// <param name="Ifindex">The interface: of a route the one it leaves by, 0 with several next hops.</param>
public readonly record struct NetworkEvent(NetworkEventKind Kind, int Ifindex)
{
    /// <summary>The <see cref="Ifindex"/> of a setting of all interfaces (NETCONFA_IFINDEX_ALL).</summary>
    public const int AllInterfaces = -1;

    /// <summary>
    /// The netlink socket that asked for it, by its number, which for a process's first
    /// socket is usually the process's id. 0 when no socket did, or it is not reported.
    /// </summary>
    public uint Requester { get; init; }

    /// <summary>Of an interface; null for other kinds.</summary>
    public string? Name { get; init; }

    /// <summary>Of an interface; null where it has none.</summary>
    public byte[]? Mac { get; init; }

    /// <summary>An interface that is switched on.</summary>
    public bool Up { get; init; }

    /// <summary>An interface that was switched off just now.</summary>
    public bool WentDown { get; init; }

    /// <summary>Of an address or a neighbour.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>A neighbour that is never asked for and never forgotten.</summary>
    public bool Permanent { get; init; }

    /// <summary>Of a route.</summary>
    public IPNetwork Destination { get; init; }

    /// <summary>Of a route.</summary>
    public uint Table { get; init; }

    /// <summary>Who owns a route (<see cref="Route.Protocol"/>): the new one, where another was replaced.</summary>
    public byte Protocol { get; init; }

    /// <summary>A route with a next hop.</summary>
    public bool HasGateway { get; init; }

    /// <summary>A route that took the place of one with the same destination, table and metric, which no other event reports.</summary>
    public bool Replaces { get; init; }

    /// <summary>A setting: packets are not forwarded any more.</summary>
    public bool ForwardingOff { get; init; }

    /// <summary>A setting is one of IPv6, else of IPv4.</summary>
    public bool OfIPv6 { get; init; }
}
