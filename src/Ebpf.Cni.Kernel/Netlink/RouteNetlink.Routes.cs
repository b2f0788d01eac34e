using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Routes.</content>
public sealed partial class RouteNetlink
{
    /// <summary>Adds the route and touches no other.</summary>
    /// <exception cref="KernelException">
    /// EEXIST if anybody has one with the same destination, table and metric; ENETUNREACH if the gateway is not on the link and
    /// <see cref="Route.OnLink"/> is off.
    /// </exception>
    public void AddRoute(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        Execute(RouteRequest(MessageType.NewRoute, Make, route), $"add the route to {route.Destination}");
    }

    /// <summary>Adds the route, or puts it in the place of the one with the same destination, table and metric, whoever owns it.</summary>
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

    /// <summary>Both families.</summary>
    /// <param name="protocol">Only this owner's; null for all.</param>
    public IReadOnlyList<Route> Routes(byte? protocol = null, uint table = Route.MainTable) =>
    [
        .. DumpRoutes(AddressFamilies.IPv4).Concat(DumpRoutes(AddressFamilies.IPv6))
            .Where(route => route.Table == table && (protocol is null || route.Protocol == protocol)),
    ];

    /// <summary>The interfaces by which a route leaves, each once; those of a next hop object that the kernel did not resolve included.</summary>
    public IReadOnlyList<int> Interfaces(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        if (route.Ifindex != 0)
            return [route.Ifindex];
        if (route.Spread is { } spread)
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

    private IEnumerable<byte[]> DumpNextHops() =>
        _socket.Dump(NetlinkRequest.Create(MessageType.GetNextHop, MessageFlags.Dump, default(NextHopHeader)), "list next hops")
            .Where(message => message.Type == MessageType.NewNextHop)
            .Select(message => message.Payload);

    private IEnumerable<Route> DumpRoutes(byte family)
    {
        var request = NetlinkRequest.Create(MessageType.GetRoute, MessageFlags.Dump, new RouteHeader { Family = family });
        return _socket.Dump(request, "list routes")
            .Where(message => message.Type == MessageType.NewRoute)
            .Select(message => Route.Read(message.Payload))
            .OfType<Route>()
            .Where(route => route.Family == family); // a kernel without that family answers for all it has
    }

    private static NetlinkRequest RouteRequest(MessageType type, MessageFlags flags, Route route)
    {
        const byte tableInAttribute = 0;
        var header = new RouteHeader
        {
            Family = route.Family,
            DestinationLength = (byte)route.Destination.PrefixLength,
            Table = route.Table <= byte.MaxValue ? (byte)route.Table : tableInAttribute,
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
