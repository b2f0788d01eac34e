using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Sockets;

/// <summary>struct inet_diag_sockid; ports and addresses in network order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct SocketId
{
    private readonly ushort _localPort;
    private readonly ushort _remotePort;
    private readonly AddressBytes _local;
    private readonly AddressBytes _remote;
    private readonly uint _interface;
    private readonly uint _cookieLow;
    private readonly uint _cookieHigh;

    public readonly uint Interface => _interface;

    public readonly ulong Cookie => ((ulong)_cookieHigh << 32) | _cookieLow;

    public readonly IPEndPoint Local(byte family) => new(Address(_local, family), Port(_localPort));

    public readonly IPEndPoint Remote(byte family) => new(Address(_remote, family), Port(_remotePort));

    private static IPAddress Address(AddressBytes bytes, byte family) => new(((ReadOnlySpan<byte>)bytes)[..AddressFamilies.Size(family)]);

    private static int Port(ushort raw) => (ushort)IPAddress.NetworkToHostOrder((short)raw);

    [InlineArray(16)]
    private struct AddressBytes
    {
        private byte _first;
    }
}

/// <summary>struct inet_diag_req_v2</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketRequest
{
    public byte Family;
    public byte Protocol;
    public byte Extensions;
    public byte Pad;

    /// <summary>A bit for each <see cref="SocketState"/>.</summary>
    public uint States;
    public SocketId Id;
}

/// <summary>struct inet_diag_msg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketMessage
{
    public byte Family;
    public byte State;
    public byte Timer;
    public byte Retransmissions;
    public SocketId Id;
    public uint Expires;
    public uint ReceiveQueue;
    public uint SendQueue;
    public uint User;
    public uint Inode;
}
