using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>How far away a destination is (enum rt_scope_t); IPv6 has only Universe.</summary>
public enum RouteScope
{
    Universe = 0,
    Site = 200,
    Link = 253,
    Host = 254,
}

/// <summary>What happens to packets (RTN_*).</summary>
public enum RouteType
{
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
}

/// <summary>
/// A route. What is left null is the kernel's default, and comes back as null: a route that was set equals the one read.
/// </summary>
/// <param name="Destination">Without host bits.</param>
/// <param name="Ifindex">The interface it leaves by; 0 for types without, and for several next hops.</param>
public sealed record Route(IPNetwork Destination, int Ifindex)
{
    /// <summary>The main table.</summary>
    public const uint MainTable = 254;

    /// <summary>Null for a destination on the link itself. May be of the other family.</summary>
    public IPAddress? Gateway { get; init; }

    /// <summary>Who owns it: /etc/iproute2/rt_protos; 3 is "boot", 4 "static".</summary>
    public byte Protocol { get; init; } = 3;

    public RouteType Type { get; init; } = RouteType.Unicast;

    /// <summary>Null: Link for IPv4 without a gateway, else Universe.</summary>
    public RouteScope? Scope { get; init; }

    /// <summary>The interfaces of several next hops, of which packets take any; else null.</summary>
    public InterfaceSet? Multipath { get; init; }

    /// <summary>The next hop object that the kernel left unresolved (net.ipv4.nexthop_compat_mode=0); else 0.</summary>
    internal uint NextHopId { get; init; }

    /// <summary>The gateway is on the link although no network of the interface contains it.</summary>
    public bool OnLink { get; init; }

    /// <summary>The source address that this node's own packets get.</summary>
    public IPAddress? PreferredSource { get; init; }

    /// <summary>Bytes; null for the interface's.</summary>
    public int? Mtu { get; init; }

    /// <summary>Lower is preferred. Null: 0 for IPv4, 1024 for IPv6.</summary>
    public uint? Metric { get; init; }

    public uint Table { get; init; } = MainTable;

    /// <summary>netlink reports its next hop object alone, not interfaces: a change of that object changes the route.</summary>
    public bool FollowsNextHopObject => NextHopId != 0;

    internal bool LeavesBy(int ifindex) => Ifindex == ifindex || NextHopId != 0 || Multipath?.Ifindexes.Contains(ifindex) == true;

    internal byte Family => AddressFamilies.Of(Destination.BaseAddress);

    internal RouteScope DefaultScope =>
        Family == AddressFamilies.IPv4 && Gateway is null && Type == RouteType.Unicast ? RouteScope.Link : RouteScope.Universe;

    internal uint DefaultMetric => Family == AddressFamilies.IPv4 ? 0u : 1024u;

    /// <returns>Null for a family that is not IP, and for the cached results of look-ups.</returns>
    internal static Route? Read(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<RouteHeader>(payload, out var header);
        if (!AddressFamilies.IsIp(header.Family) || (header.Flags & RouteHeader.FlagCloned) != 0)
            return null;
        var destination = AddressFamilies.Any(header.Family);
        var ifindex = 0;
        var route = new Route(default, 0)
        {
            Protocol = header.Protocol,
            Type = (RouteType)header.Type,
            Scope = (RouteScope)header.Scope,
            OnLink = (header.Flags & RouteHeader.FlagOnLink) != 0,
            Table = header.Table,
        };
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
                default:
                    route = route.With(type, value, header.Family);
                    break;
            }
        }
        return (route with { Destination = Network(destination, header.DestinationLength), Ifindex = ifindex }).Normalized();
    }

    private Route With(ushort type, ReadOnlySpan<byte> value, byte family) => type switch
    {
        RouteAttribute.Gateway => this with { Gateway = AttributeReader.Address(value, family) },
        RouteAttribute.Via => this with { Gateway = ReadVia(value) },
        RouteAttribute.PreferredSource => this with { PreferredSource = AttributeReader.Address(value, family) },
        RouteAttribute.Priority => this with { Metric = AttributeReader.UInt32(value) },
        RouteAttribute.MultiPath => this with { Multipath = InterfaceSet.ReadHops(value) },
        RouteAttribute.NextHopId => this with { NextHopId = AttributeReader.UInt32(value) },
        RouteAttribute.Table => this with { Table = AttributeReader.UInt32(value) },
        RouteAttribute.Metrics => this with { Mtu = ReadMtu(value) },
        _ => this,
    };

    private Route Normalized()
    {
        // Resolved already: who owns the next hops makes no difference.
        if (NextHopId != 0 && (Ifindex != 0 || Multipath is not null))
            return (this with { NextHopId = 0 }).Normalized();
        var route = Scope == DefaultScope ? this with { Scope = null } : this;
        return route.Metric == DefaultMetric ? route with { Metric = null } : route;
    }

    // a 16-bit family, then the address
    private static IPAddress ReadVia(ReadOnlySpan<byte> value) => value.Length > sizeof(ushort)
        ? AttributeReader.Address(value[sizeof(ushort)..], (byte)MemoryMarshal.Read<ushort>(value))
        : throw new NetlinkFormatException("a gateway without an address");

    private static int? ReadMtu(ReadOnlySpan<byte> metrics)
    {
        var attributes = new AttributeReader(metrics);
        while (attributes.Next(out var type, out var value))
            if (type == RouteAttribute.MetricMtu)
                return AttributeReader.Int32(value);
        return null;
    }

    internal static IPNetwork Network(IPAddress address, int prefixLength) => IsNetwork(address.GetAddressBytes(), prefixLength)
        ? new IPNetwork(address, prefixLength)
        : throw new NetlinkFormatException($"{address}/{prefixLength} is no network");

    private static bool IsNetwork(byte[] address, int prefixLength)
    {
        var bits = address.Length * 8;
        if (prefixLength > bits)
            return false;
        var value = address.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(address) : BinaryPrimitives.ReadUInt128BigEndian(address);
        var hostBits = bits - prefixLength;
        return hostBits == 128 ? value == 0 : (value & ((UInt128.One << hostBits) - 1)) == 0;
    }
}
