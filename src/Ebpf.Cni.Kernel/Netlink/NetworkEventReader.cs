using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>From the kernel's messages to events. Pure: any bytes give events, if need be <see cref="NetworkEventKind.Lost"/>.</summary>
internal static class NetworkEventReader
{
    private const int Alignment = 4;

    /// <param name="datagram">One or more messages.</param>
    /// <param name="each">Gets the events; not for messages of kinds that are not known.</param>
    public static void Read(ReadOnlySpan<byte> datagram, Action<NetworkEvent> each)
    {
        while (!datagram.IsEmpty)
        {
            var header = datagram.Length >= Unsafe.SizeOf<MessageHeader>() ? MemoryMarshal.Read<MessageHeader>(datagram) : default;
            if (header.Length < Unsafe.SizeOf<MessageHeader>() || header.Length > datagram.Length)
            {
                each(default); // cut off
                return;
            }

            if (TryRead(in header, datagram[Unsafe.SizeOf<MessageHeader>()..(int)header.Length]) is { } change)
                each(change with { Requester = header.Port });
            datagram = datagram[Math.Min(((int)header.Length + Alignment - 1) & ~(Alignment - 1), datagram.Length)..];
        }
    }

    private static NetworkEvent? TryRead(in MessageHeader header, ReadOnlySpan<byte> payload)
    {
        try
        {
            return header.Type switch
            {
                MessageType.NewLink => Link(NetworkEventKind.LinkSet, payload),
                MessageType.DeleteLink => Link(NetworkEventKind.LinkGone, payload),
                MessageType.NewAddress => Address(NetworkEventKind.AddressSet, payload),
                MessageType.DeleteAddress => Address(NetworkEventKind.AddressGone, payload),
                MessageType.NewRoute => Route(NetworkEventKind.RouteSet, payload) with
                {
                    Replaces = (header.Flags & (ushort)MessageFlags.Replace) != 0,
                },
                MessageType.DeleteRoute => Route(NetworkEventKind.RouteGone, payload),
                MessageType.NewNeighbour => Neighbour(NetworkEventKind.NeighbourSet, payload),
                MessageType.DeleteNeighbour => Neighbour(NetworkEventKind.NeighbourGone, payload),
                MessageType.NewSettings => Setting(payload),
                MessageType.NewNextHop or MessageType.DeleteNextHop => new NetworkEvent(NetworkEventKind.NextHop, 0),
                _ => null,
            };
        }
        catch (NetlinkFormatException)
        {
            return default(NetworkEvent);
        }
    }

    private static NetworkEvent Link(NetworkEventKind kind, ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<LinkHeader>(payload, out var header);
        var (name, mac) = ("", (byte[]?)null);
        while (attributes.Next(out var type, out var value))
        {
            if (type == LinkAttribute.Name)
                name = AttributeReader.Text(value);
            else if (type == LinkAttribute.Mac)
                mac = value.ToArray();
        }

        var up = (header.Flags & LinkHeader.FlagUp) != 0;
        // A new interface's message claims that every flag has changed.
        var switched = (header.Change & LinkHeader.FlagUp) != 0 && header.Change != LinkHeader.EverythingChanged;
        return new NetworkEvent(kind, header.Ifindex) { Name = name, Mac = mac, Up = up, WentDown = switched && !up };
    }

    private static NetworkEvent Address(NetworkEventKind kind, ReadOnlySpan<byte> payload) => AddressInfo.Read(payload) is { } address
        ? new NetworkEvent(kind, address.Ifindex) { Address = address.Address }
        : throw new NetlinkFormatException("an address of a family other than IP");

    private static NetworkEvent Neighbour(NetworkEventKind kind, ReadOnlySpan<byte> payload)
    {
        // A bridge's FDB entries are reported as neighbours too, by MAC address.
        var attributes = AttributeReader.AfterHeader<NeighbourHeader>(payload, out var header);
        IPAddress? address = null;
        while (AddressFamilies.IsIp(header.Family) && attributes.Next(out var type, out var value))
            if (type == NeighbourAttribute.Address)
                address = AttributeReader.Address(value, header.Family);
        var permanent = (header.State & Netlink.Neighbour.StatePermanent) != 0;
        return new NetworkEvent(kind, header.Ifindex) { Address = address, Permanent = permanent };
    }

    /// <summary>Only what the subscribers read: a routing daemon changes a hundred thousand routes at once.</summary>
    private static NetworkEvent Route(NetworkEventKind kind, ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<RouteHeader>(payload, out var header);
        if (!AddressFamilies.IsIp(header.Family))
            return new NetworkEvent(kind, 0) { Table = header.Table, Protocol = header.Protocol };
        var (destination, ifindex, table, gateway) = (AddressFamilies.Any(header.Family), 0, (uint)header.Table, false);
        while (attributes.Next(out var type, out var value))
        {
            switch (type)
            {
                case RouteAttribute.Destination:
                    destination = AttributeReader.Address(value, header.Family);
                    break;
                case RouteAttribute.Interface:
                    ifindex = AttributeReader.Int32(value);
                    break;
                case RouteAttribute.Table:
                    table = AttributeReader.UInt32(value);
                    break;
                case RouteAttribute.Gateway or RouteAttribute.Via:
                    gateway = true;
                    break;
            }
        }

        return new NetworkEvent(kind, ifindex)
        {
            Destination = Netlink.Route.Network(destination, header.DestinationLength),
            Table = table,
            Protocol = header.Protocol,
            HasGateway = gateway,
        };
    }

    private static NetworkEvent Setting(ReadOnlySpan<byte> payload)
    {
        var (ifindex, off) = (0, false);
        var attributes = AttributeReader.AfterHeader<SettingsHeader>(payload, out var header);
        while (attributes.Next(out var type, out var value))
        {
            if (type == SettingsAttribute.Interface)
                ifindex = AttributeReader.Int32(value);
            else if (type == SettingsAttribute.Forwarding)
                off = AttributeReader.Int32(value) == 0;
        }

        return new NetworkEvent(NetworkEventKind.Setting, ifindex) { ForwardingOff = off, OfIPv6 = header.Family == AddressFamilies.IPv6 };
    }
}
