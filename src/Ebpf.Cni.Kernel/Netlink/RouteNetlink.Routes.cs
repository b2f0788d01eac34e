using System.Net;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Routes.</content>
public sealed partial class RouteNetlink
{
    /// <summary>In a header: the table's number is longer than a byte.</summary>
    private const byte TableInAttribute = 0;

    /// <summary>Adds the route and touches no other.</summary>
    /// <exception cref="KernelException">
    /// EEXIST if there is one with the same destination, table and metric; ENETUNREACH if the gateway is not on the link and
    /// <see cref="Route.OnLink"/> is off.
    /// </exception>
    public void AddRoute(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        Execute(RouteRequest(MessageType.NewRoute, Make, route), $"add the route to {route.Destination}");
    }

    /// <summary>Adds the route, or puts it in the place of the one with the same destination, table and metric, of any owner.</summary>
    /// <exception cref="KernelException">ENETUNREACH if the gateway is not on the link and <see cref="Route.OnLink"/> is off.</exception>
    public void ReplaceRoute(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        Execute(
            RouteRequest(MessageType.NewRoute, MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Replace, route),
            $"set the route to {route.Destination}");
    }

    /// <exception cref="KernelException">ESRCH if there is no such route.</exception>
    public void DeleteRoute(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        Execute(RouteRequest(MessageType.DeleteRoute, MessageFlags.Acknowledge, route), $"delete the route to {route.Destination}");
    }

    /// <summary>Both families. The kernel gives no others: a node may have a million.</summary>
    /// <param name="protocol">Only this owner's; null for all.</param>
    /// <param name="table">Of this table alone.</param>
    public IReadOnlyList<Route> Routes(byte? protocol = null, uint table = Route.MainTable) =>
        Dump(new RouteHeader { Protocol = protocol ?? 0 }, table, _ => true);

    /// <summary>The default routes of the main table that lead somewhere, both families.</summary>
    public IReadOnlyList<Route> DefaultRoutes() =>
        Dump(new RouteHeader { Type = (byte)RouteType.Unicast }, Route.MainTable, header => header.DestinationLength == 0);

    /// <summary>
    /// Whether the main table has a route by the interface to a network: neither a default route nor
    /// one to a single or a link-local address. Stops at the first. In the calling thread's namespace.
    /// </summary>
    /// <param name="ifindex">The interface; none that is gone has routes.</param>
    /// <param name="except">Routes of this protocol do not count.</param>
    public static bool LeadsToANetwork(int ifindex, byte except)
    {
        foreach (var family in (ReadOnlySpan<byte>)[AddressFamilies.IPv4, AddressFamilies.IPv6])
        {
            // A socket for each: what is left of its answer goes with it.
            using var socket = NetlinkSocket.Open();
            var request = DumpRequest(new RouteHeader { Family = family, Type = (byte)RouteType.Unicast }, Route.MainTable);
            request.Put(RouteAttribute.Interface, ifindex);
            try
            {
                if (socket.Any(request, $"list routes of interface {ifindex}", MessageType.NewRoute, payload =>
                    Glance(payload, family, out var header) && header.Protocol != except && header.DestinationLength > 0
                    && header.DestinationLength < AddressFamilies.Size(family) * 8
                    && Route.Read(payload) is { Table: Route.MainTable, Type: RouteType.Unicast } route
                    && !route.Destination.BaseAddress.IsIPv6LinkLocal && route.LeavesBy(ifindex)))
                    return true;
            }
            catch (KernelException e) when (e.Errno is Errno.ENODEV or Errno.ENOENT)
            {
                // No such interface any more, or no such table yet.
            }
        }

        return false;
    }

    /// <summary>
    /// The interfaces by which a route leaves, each once; those of a next hop object that the kernel did not resolve included.
    /// </summary>
    public IReadOnlyList<int> Interfaces(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        if (route.Ifindex != 0)
            return [route.Ifindex];
        if (route.Multipath is { } spread)
            return spread.Ifindexes;
        return route.NextHopId == 0 ? [] : NextHops.Interfaces(DumpNextHops(), route.NextHopId);
    }

    /// <summary>The interface by which the node itself would send to an address now; 0 where no route leads there.</summary>
    public int InterfaceTowards(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var family = AddressFamilies.Of(address);
        var header = new RouteHeader { Family = family, DestinationLength = (byte)(address.GetAddressBytes().Length * 8) };
        var request = NetlinkRequest.Create(MessageType.GetRoute, MessageFlags.Acknowledge, in header);
        request.Put(RouteAttribute.Destination, address);
        try
        {
            foreach (var message in _socket.Execute(request, $"look up the route to {address}"))
                if (message.Type == MessageType.NewRoute)
                    return InterfaceOf(message.Payload);
            return 0;
        }
        catch (KernelException e) when (e.Errno is Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.EACCES or Errno.EINVAL)
        {
            return 0;
        }
    }

    private static int InterfaceOf(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<RouteHeader>(payload, out _);
        while (attributes.Next(out var type, out var value))
            if (type == RouteAttribute.Interface)
                return AttributeReader.Int32(value);
        return 0;
    }

    private List<byte[]> DumpNextHops() => _socket.Dump(
        NetlinkRequest.Create(MessageType.GetNextHop, MessageFlags.Dump, default(NextHopHeader)),
        "list next hops", MessageType.NewNextHop, payload => payload.ToArray());

    /// <param name="wanted">Protocol and type, 0 for any.</param>
    /// <param name="table">Its number.</param>
    /// <param name="counts">Judges by the header, before the rest is read.</param>
    private List<Route> Dump(RouteHeader wanted, uint table, Func<RouteHeader, bool> counts)
    {
        List<Route> routes = [.. DumpOf(AddressFamilies.IPv4), .. DumpOf(AddressFamilies.IPv6)];
        return routes;

        List<Route> DumpOf(byte family)
        {
            var request = DumpRequest(wanted with { Family = family }, table);
            try
            {
                return _socket.Dump(request, "list routes", MessageType.NewRoute, payload =>
                    Glance(payload, family, out var header) && (wanted.Protocol == 0 || header.Protocol == wanted.Protocol)
                    && (wanted.Type == 0 || header.Type == wanted.Type) && counts(header)
                    && Route.Read(payload) is { } route && route.Table == table
                        ? route
                        : null);
            }
            catch (KernelException e) when (e.Errno == Errno.ENOENT)
            {
                return []; // the kernel makes a table with its first route
            }
        }
    }

    /// <summary>The header of a route of the family: a kernel without that family answers for all it has.</summary>
    private static bool Glance(ReadOnlySpan<byte> payload, byte family, out RouteHeader header) =>
        MemoryMarshal.TryRead(payload, out header) && header.Family == family;

    private static NetlinkRequest DumpRequest(RouteHeader wanted, uint table)
    {
        wanted.Table = table <= byte.MaxValue ? (byte)table : TableInAttribute;
        var request = NetlinkRequest.Create(MessageType.GetRoute, MessageFlags.Dump, in wanted);
        if (wanted.Table == TableInAttribute)
            request.Put(RouteAttribute.Table, table);
        return request;
    }

    private static NetlinkRequest RouteRequest(MessageType type, MessageFlags flags, Route route)
    {
        var header = new RouteHeader
        {
            Family = route.Family,
            DestinationLength = (byte)route.Destination.PrefixLength,
            Table = route.Table <= byte.MaxValue ? (byte)route.Table : TableInAttribute,
            Protocol = route.Protocol,
            Scope = (byte)(route.Scope ?? route.DefaultScope),
            Type = (byte)route.Type,
            Flags = route.OnLink ? RouteHeader.FlagOnLink : 0,
        };
        var request = NetlinkRequest.Create(type, flags, in header);
        if (route.Destination.PrefixLength > 0)
            request.Put(RouteAttribute.Destination, route.Destination.BaseAddress);
        if (route.Ifindex != 0)
            request.Put(RouteAttribute.Interface, route.Ifindex);
        if (route.Gateway is { } gateway)
            PutGateway(request, gateway, route.Family);
        if (route.PreferredSource is { } source)
            request.Put(RouteAttribute.PreferredSource, source);
        if (route.Metric is { } metric)
            request.Put(RouteAttribute.Priority, metric);
        request.Put(RouteAttribute.Table, route.Table);
        if (route.Mtu is { } mtu)
        {
            using (request.Nest(RouteAttribute.Metrics))
                request.Put(RouteAttribute.MetricMtu, mtu);
        }
        return request;
    }

    private static void PutGateway(NetlinkRequest request, IPAddress gateway, byte family)
    {
        var own = AddressFamilies.Of(gateway);
        if (own == family)
            request.Put(RouteAttribute.Gateway, gateway);
        else
            request.Put(RouteAttribute.Via, [.. BitConverter.GetBytes((ushort)own), .. gateway.GetAddressBytes()]);
    }
}
