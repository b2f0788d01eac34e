using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Which of the kernel's messages are about something that was taken away. Pure; see <see cref="RouteMonitor.OpenForLosses"/>.</summary>
internal sealed class LossFilter(byte protocol, Func<int, bool> ours)
{
    /// <summary>NETCONFA_IFINDEX_ALL: a setting of all devices.</summary>
    private const int AllDevices = -1;

    /// <param name="datagram">One or more messages.</param>
    public bool Matters(ReadOnlySpan<byte> datagram)
    {
        const int alignment = 4;
        while (datagram.Length >= Unsafe.SizeOf<MessageHeader>())
        {
            var header = MemoryMarshal.Read<MessageHeader>(datagram);
            if (header.Length < Unsafe.SizeOf<MessageHeader>() || header.Length > datagram.Length)
                return true; // cut off
            if (Matters(header.Type, datagram[Unsafe.SizeOf<MessageHeader>()..(int)header.Length]))
                return true;
            var next = ((int)header.Length + alignment - 1) & ~(alignment - 1);
            datagram = next < datagram.Length ? datagram[next..] : [];
        }

        return false;
    }

    /// <summary>What cannot be read may be anything: look rather once too often.</summary>
    private bool Matters(MessageType type, ReadOnlySpan<byte> payload)
    {
        try
        {
            return IsLoss(type, payload);
        }
        catch (NetlinkFormatException)
        {
            return true;
        }
    }

    private bool IsLoss(MessageType type, ReadOnlySpan<byte> payload) => type switch
    {
        MessageType.DeleteRoute => Header<RouteHeader>(payload, out var route) && route.Protocol == protocol,
        MessageType.DeleteNeighbour => Header<NeighbourHeader>(payload, out var neighbour) && ours(neighbour.Ifindex),
        MessageType.DeleteAddress => Header<AddressHeader>(payload, out var address) && ours(address.Ifindex),
        MessageType.NewLink => Header<LinkHeader>(payload, out var link) && ours(link.Ifindex),
        MessageType.NewSettings => IsForwardingOff(payload),
        _ => false,
    };

    private static bool Header<T>(ReadOnlySpan<byte> payload, out T header) where T : unmanaged => MemoryMarshal.TryRead(payload, out header);

    private bool IsForwardingOff(ReadOnlySpan<byte> payload)
    {
        var (ifindex, off) = (0, false);
        var attributes = AttributeReader.AfterHeader<SettingsHeader>(payload, out _);
        while (attributes.Next(out var type, out var value))
        {
            if (type == SettingsAttribute.Interface)
                ifindex = AttributeReader.Int32(value);
            else if (type == SettingsAttribute.Forwarding)
                off = AttributeReader.Int32(value) == 0;
        }

        return off && (ifindex == AllDevices || ours(ifindex));
    }
}
