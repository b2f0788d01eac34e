using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Testing;

/// <summary>Whole frames on one device, as they are: AF_PACKET.</summary>
public static class FrameSocket
{
    private const int EveryProtocol = 0x0300; // ETH_P_ALL, network order

    /// <summary>In the calling thread's namespace.</summary>
    public static Socket Open(int ifindex)
    {
        var socket = new Socket(AddressFamily.Packet, SocketType.Raw, (ProtocolType)EveryProtocol) { ReceiveTimeout = 10_000 };
        socket.Bind(new Device(ifindex));
        return socket;
    }

    /// <summary>The frame with an 802.1Q tag.</summary>
    public static byte[] Tagged(byte[] frame, ushort vlan) => [.. frame[..12], 0x81, 0x00, (byte)(vlan >> 8), (byte)vlan, .. frame[12..]];

    /// <summary>struct sockaddr_ll</summary>
    private sealed class Device(int ifindex) : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            var address = new SocketAddress(AddressFamily.Packet, 20);
            BinaryPrimitives.WriteUInt16LittleEndian(address.Buffer.Span[2..], EveryProtocol);
            BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], ifindex);
            return address;
        }
    }
}
