using System.Net;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Sockets;

/// <summary>Protocols of which sockets can be listed; the values are the IP protocol numbers.</summary>
public enum SocketProtocol : byte
{
    Tcp = 6,
    Udp = 17,
}

/// <summary>enum of net/tcp_states.h. A UDP socket is Established when it is connected, else Close.</summary>
public enum SocketState : byte
{
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    NewSynReceived = 12,
}

/// <summary>A socket of a network namespace.</summary>
/// <param name="Protocol">TCP or UDP.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Local">As the socket has it: an IPv6 socket that talks IPv4 has mapped addresses.</param>
/// <param name="Remote">Address and port 0 when it is not connected.</param>
/// <param name="Cookie">The kernel's number of it, as bpf_get_socket_cookie has it; never used twice.</param>
/// <param name="Inode">As in /proc/PID/fd; 0 when no process has it.</param>
public sealed record SocketInfo(SocketProtocol Protocol, SocketState State, IPEndPoint Local, IPEndPoint Remote, ulong Cookie, uint Inode)
{
    /// <summary>Given back as it came: what identifies the socket in a request.</summary>
    internal SocketId Id { get; init; }

    /// <summary>Index of the device that it is bound to; 0: to none.</summary>
    public uint Interface => Id.Interface;

    internal byte Family { get; init; }

    /// <returns>Null for a family that is not IP.</returns>
    internal static SocketInfo? Read(SocketProtocol protocol, ReadOnlySpan<byte> payload)
    {
        _ = AttributeReader.AfterHeader<SocketMessage>(payload, out var header);
        if (!AddressFamilies.IsIp(header.Family))
            return null;
        return new SocketInfo(
            protocol, (SocketState)header.State, header.Id.Local(header.Family), header.Id.Remote(header.Family), header.Id.Cookie,
            header.Inode)
        {
            Id = header.Id,
            Family = header.Family,
        };
    }
}
