using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Which MAC address an IP address has on an interface.</summary>
/// <param name="Mac">6 bytes; null while it is unknown.</param>
/// <param name="Permanent">Set by hand: never asked for, never forgotten.</param>
public sealed record Neighbour(int Ifindex, IPAddress Address, byte[]? Mac, bool Permanent)
{
    internal const ushort StatePermanent = 0x80;
    internal const byte FlagProxy = 8;

    /// <returns>Null for a family that is not IP, and for proxy entries.</returns>
    internal static Neighbour? Read(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<NeighbourHeader>(payload, out var header);
        if (!AddressFamilies.IsIp(header.Family) || (header.Flags & FlagProxy) != 0)
            return null;
        IPAddress? address = null;
        byte[]? mac = null;
        while (attributes.Next(out var type, out var value))
        {
            if (type == NeighbourAttribute.Address)
                address = AttributeReader.Address(value, header.Family);
            else if (type == NeighbourAttribute.Mac)
                mac = value.ToArray();
        }
        return address is null
            ? throw new NetlinkFormatException("a neighbour without an address")
            : new Neighbour(header.Ifindex, address, mac, (header.State & StatePermanent) != 0);
    }
}
