using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Bpf.Tests.Packets;

[Flags]
internal enum TcpFlags : byte
{
    Fin = 1,
    Syn = 2,
    Rst = 4,
    Psh = 8,
    Ack = 16,
    SynAck = Syn | Ack,
    Data = Psh | Ack,
    FinAck = Fin | Ack,
}

internal enum SctpChunk : byte
{
    Data = 0,
    Init = 1,
    InitAck = 2,
    Abort = 6,
    Shutdown = 7,
    ShutdownAck = 8,
    CookieEcho = 10,
    CookieAck = 11,
    ShutdownComplete = 14,
}

/// <summary>A piece of a datagram: bytes [Offset, Offset + Length) of what follows the IP header.</summary>
internal sealed record Piece(int Offset, int Length, bool More, uint Id);

/// <summary>An IPv6 extension header of any length: the body is what follows next header and length.</summary>
internal sealed record Extension(byte Type, byte[] Body);

/// <summary>
/// A packet as a description. <see cref="Bytes"/> computes every checksum from nothing, so a packet that a program edited must
/// equal the bytes of the description edited in the same way.
/// </summary>
internal sealed record Packet
{
    public MacAddr SrcMac { get; init; } = Macs.Client;
    public MacAddr DstMac { get; init; } = Macs.Gateway;
    public required string Src { get; init; }
    public required string Dst { get; init; }
    public IpProtocol Protocol { get; init; } = IpProtocol.Tcp;
    public ushort Sport { get; init; } = 40000;
    public ushort Dport { get; init; } = 80;
    public byte Ttl { get; init; } = 64;
    public TcpFlags Flags { get; init; } = TcpFlags.Syn;

    /// <summary>TCP's.</summary>
    public uint Sequence { get; init; } = 1;

    public byte[] Payload { get; init; } = "hello"u8.ToArray();
    public bool NoUdpChecksum { get; init; }
    public byte[] Options { get; init; } = [];
    public Extension[] Extensions { get; init; } = [];
    public Piece? Piece { get; init; }
    public ushort Id { get; init; } = 0x1234;
    public byte IcmpType { get; init; } = 8;
    public byte IcmpCode { get; init; }

    /// <summary>Bytes 4 to 8 of an ICMP header: an echo's identifier and sequence number, a next hop's MTU.</summary>
    public uint IcmpRest { get; init; }

    public SctpChunk Chunk { get; init; } = SctpChunk.Init;

    /// <summary>The checksum field is 0, as in a packet whose checksum the device is to compute.</summary>
    public bool NoSctpChecksum { get; init; }

    /// <summary>Behind the IP packet in the frame.</summary>
    public int Padding { get; init; }

    public bool IsV6 => IPAddress.Parse(Dst).AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>This packet's answer: both ends exchanged.</summary>
    public Packet Answer(TcpFlags flags) => this with { Src = Dst, Dst = Src, Sport = Dport, Dport = Sport, Flags = flags };

    public byte[] Bytes()
    {
        var transport = Transport();
        if (Piece is { } piece)
            transport = transport[piece.Offset..Math.Min(transport.Length, piece.Offset + piece.Length)];
        var ip = IsV6 ? V6(transport) : V4(transport);
        return [.. DstMac.ToBytes(), .. SrcMac.ToBytes(), .. IsV6 ? new byte[] { 0x86, 0xdd } : [0x08, 0x00], .. ip,
            .. Enumerable.Repeat((byte)0xa5, Padding)];
    }

    private byte[] V4(byte[] transport)
    {
        var header = new byte[20 + Options.Length];
        header[0] = (byte)(0x40 | header.Length / 4);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(header.Length + transport.Length));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)(Piece?.Id ?? Id));
        var fragment = Piece is null ? 0x4000 : Piece.Offset / 8 | (Piece.More ? 0x2000 : 0);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), (ushort)fragment);
        header[8] = Ttl;
        header[9] = (byte)Protocol;
        Address(Src).CopyTo(header, 12);
        Address(Dst).CopyTo(header, 16);
        Options.CopyTo(header, 20);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), Checksum.Of(header));
        return [.. header, .. transport];
    }

    private byte[] V6(byte[] transport)
    {
        var extensions = new List<Extension>(Extensions);
        if (Piece is { } piece)
        {
            var body = new byte[6];
            BinaryPrimitives.WriteUInt16BigEndian(body, (ushort)(piece.Offset | (piece.More ? 1 : 0)));
            BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(2), piece.Id);
            extensions.Add(new Extension(44, body));
        }
        var headers = new List<byte>();
        for (var i = 0; i < extensions.Count; i++)
        {
            var next = i + 1 < extensions.Count ? extensions[i + 1].Type : (byte)Protocol;
            var length = extensions[i].Body.Length + 2;
            // a fragment header's second byte is reserved; the authentication header counts words, minus two
            var lengthField = extensions[i].Type switch { 44 => 0, 51 => length / 4 - 2, _ => length / 8 - 1 };
            headers.AddRange([next, (byte)lengthField, .. extensions[i].Body]);
        }
        var header = new byte[40];
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)(headers.Count + transport.Length));
        header[6] = extensions.Count > 0 ? extensions[0].Type : (byte)Protocol;
        header[7] = Ttl;
        Address(Src).CopyTo(header, 8);
        Address(Dst).CopyTo(header, 24);
        return [.. header, .. headers, .. transport];
    }

    private byte[] Transport()
    {
        byte[] bytes;
        int sumAt;
        switch (Protocol)
        {
            case IpProtocol.Tcp:
                bytes = [.. new byte[20], .. Payload];
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Sequence);
                bytes[11] = 1; // acknowledgement number: any
                bytes[12] = 5 << 4;
                bytes[13] = (byte)Flags;
                bytes[14] = 0xff;
                sumAt = 16;
                break;
            case IpProtocol.Udp:
                bytes = [.. new byte[8], .. Payload];
                BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)bytes.Length);
                sumAt = 6;
                break;
            case IpProtocol.Icmp or IpProtocol.IcmpV6:
                bytes = [IcmpType, IcmpCode, 0, 0, 0, 0, 0, 0, .. Payload];
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), IcmpRest);
                sumAt = 2;
                break;
            case IpProtocol.Sctp:
                return Sctp();
            default:
                return Payload;
        }
        if (Protocol is IpProtocol.Tcp or IpProtocol.Udp)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes, Sport);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), Dport);
        }
        if (Protocol == IpProtocol.Udp && NoUdpChecksum)
            return bytes;
        var sum = Checksum.Of(bytes, Protocol == IpProtocol.Icmp ? 0 : PseudoHeader(bytes.Length));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(sumAt), Protocol == IpProtocol.Udp && sum == 0 ? (ushort)0xffff : sum);
        return bytes;
    }

    private byte[] Sctp()
    {
        byte[] bytes = [.. new byte[12], (byte)Chunk, 0, 0, 0, .. Payload];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, Sport);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), Dport);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), 0xfeedbeef); // verification tag: any
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(14), (ushort)(bytes.Length - 12));
        if (!NoSctpChecksum)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Crc32C.Of(bytes));
        return bytes;
    }

    private uint PseudoHeader(int length) =>
        Checksum.Sum(Address(Src)) + Checksum.Sum(Address(Dst)) + (uint)length + (uint)Protocol;

    // as the family of the packet wants it: a mapped address stays 16 bytes only in an IPv6 packet
    private static byte[] Address(string text) => IPAddress.Parse(text).GetAddressBytes();
}

/// <summary>The stations of the tests.</summary>
internal static class Macs
{
    public static readonly MacAddr Client = MacAddr.Parse("02:00:00:00:00:01");
    public static readonly MacAddr Gateway = MacAddr.Parse("02:00:00:00:00:fe");
    public static readonly MacAddr Server = MacAddr.Parse("02:00:00:00:00:02");
    public static readonly MacAddr ServerGateway = MacAddr.Parse("02:00:00:00:00:fd");

    /// <summary>Of every tunnel's device, and whom its frames come from.</summary>
    public static readonly MacAddr Tunnel = MacAddr.Parse("02:ec:c0:00:00:01"), TunnelSender = MacAddr.Parse("02:ec:c0:00:00:02");
}
