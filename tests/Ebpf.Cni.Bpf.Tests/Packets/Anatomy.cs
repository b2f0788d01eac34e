using System.Buffers.Binary;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Bpf.Tests.Packets;

/// <summary>
/// Where the parts of any bytes are that begin with an Ethernet header, as far as they can be understood: written from the RFCs, not
/// from the programs. Says what a translation may change, and by how much each checksum is wrong, which it may not.
/// </summary>
internal sealed class Anatomy
{
    private const IpProtocol None = (IpProtocol)59; // of IPv6: no next header
    private readonly byte[] _bytes;

    private Anatomy(byte[] bytes, int ip) => (_bytes, Ip) = (bytes, ip);

    public int Ip { get; }
    public bool IsV6 { get; private set; }
    public int Transport { get; private set; }
    public int End { get; private set; }
    public IpProtocol Protocol { get; private set; }
    public bool IsFirstFragment { get; private set; }
    public bool IsLaterFragment { get; private set; }

    /// <summary>The packet that an ICMP error quotes.</summary>
    public Anatomy? Quoted { get; private set; }

    public bool IsEcho => Type is { } type && (IsV6 ? type is 128 or 129 : type is 8 or 0);
    public bool IsError => Type is { } type && (IsV6 ? type is >= 1 and <= 4 : type is 3 or 11 or 12);

    private byte? Type => Protocol == (IsV6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp) && !IsLaterFragment && Transport + 8 <= End
        ? _bytes[Transport] : null;

    public static Anatomy? Of(byte[] frame)
    {
        if (frame.Length < 34)
            return null;
        var type = BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12));
        var packet = new Anatomy(frame, 14) { End = frame.Length };
        if (!(type == 0x0800 ? packet.ReadV4(quoted: false) : type == 0x86dd && packet.ReadV6(quoted: false)))
            return null;
        if (packet.IsError && !packet.IsFirstFragment)
            packet.Quoted = packet.ReadQuote();
        return packet;
    }

    private Anatomy? ReadQuote()
    {
        var quote = new Anatomy(_bytes, Transport + 8) { End = End };
        return (IsV6 ? quote.ReadV6(quoted: true) : quote.ReadV4(quoted: true)) && !quote.IsLaterFragment && quote.Transport + 8 <= End
            ? quote : null;
    }

    private bool ReadV4(bool quoted)
    {
        if (Ip + 20 > End || _bytes[Ip] >> 4 != 4)
            return false;
        var header = (_bytes[Ip] & 15) * 4;
        var length = BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(Ip + 2));
        var fragment = BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(Ip + 6));
        Transport = Ip + header;
        if (header < 20 || Transport > End || (!quoted && (length < header || Ip + length > End)))
            return false;
        if (!quoted)
            End = Ip + length;
        Protocol = (IpProtocol)_bytes[Ip + 9];
        IsLaterFragment = (fragment & 0x1fff) != 0;
        IsFirstFragment = !IsLaterFragment && (fragment & 0x2000) != 0;
        return true;
    }

    private bool ReadV6(bool quoted)
    {
        if (Ip + 40 > End || _bytes[Ip] >> 4 != 6)
            return false;
        IsV6 = true;
        if (!quoted)
        {
            var end = Ip + 40 + BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(Ip + 4));
            if (end > End)
                return false;
            End = end;
        }
        var next = _bytes[Ip + 6];
        Transport = Ip + 40;
        while (next is 0 or 43 or 44 or 51 or 60 && !IsLaterFragment)
        {
            if (Transport + 8 > End)
                break;
            var (header, length) = (next, _bytes[Transport + 1]);
            if (header == 44)
            {
                var fragment = BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(Transport + 2));
                IsLaterFragment = (fragment & 0xfff8) != 0;
                IsFirstFragment = !IsLaterFragment && (fragment & 1) != 0;
            }
            next = _bytes[Transport];
            Transport += header switch { 44 => 8, 51 => (length + 2) * 4, _ => (length + 1) * 8 };
        }
        // a chain of headers that leads out of the packet leads to nothing
        var whole = Transport <= End && next is not (0 or 43 or 44 or 51 or 60);
        Protocol = whole ? (IpProtocol)next : None;
        Transport = Math.Min(Transport, End);
        return true;
    }

    /// <summary>Bytes that a translation may change, and a router that takes a hop away.</summary>
    public void MarkTranslated(bool[] mask, bool hop, bool quoted = false)
    {
        void Mark(int at, int count)
        {
            for (var i = at; i < Math.Min(at + count, End); i++)
                mask[i] = true;
        }

        if (IsV6)
            Mark(Ip + 8, 32);
        else
            Mark(Ip + 10, 10);
        if (hop)
            Mark(Ip + (IsV6 ? 7 : 8), 1);
        if (IsLaterFragment)
            return;
        switch (Protocol)
        {
            case IpProtocol.Tcp:
                Mark(Transport, 4);
                Mark(Transport + 16, 2);
                break;
            case IpProtocol.Udp:
                Mark(Transport, 4);
                Mark(Transport + 6, 2);
                break;
            case IpProtocol.Sctp:
                Mark(Transport, 4);
                if (!quoted)
                    Mark(Transport + 8, 4);
                break;
            default:
                if (IsEcho || IsError)
                    Mark(Transport + 2, 2);
                if (IsEcho)
                    Mark(Transport + 4, 2);
                break;
        }
        Quoted?.MarkTranslated(mask, hop: false, quoted: true);
    }

    /// <summary>0 where a checksum is right; what a translation must leave as it is, since an error is the sender's to make.</summary>
    public string Errors()
    {
        var header = IsV6 ? 0 : Wrong(Checksum.Sum(_bytes.AsSpan(Ip, Transport - Ip)));
        var quoted = Quoted is { IsV6: false } quote ? Wrong(Checksum.Sum(_bytes.AsSpan(quote.Ip, quote.Transport - quote.Ip))) : 0;
        return $"header {header:x} transport {TransportError():x} quoted header {quoted:x}";
    }

    private uint TransportError()
    {
        if (IsFirstFragment || IsLaterFragment)
            return 0;
        var bytes = _bytes.AsSpan(Transport, End - Transport);
        var pseudo = Checksum.Sum(_bytes.AsSpan(Ip + (IsV6 ? 8 : 12), IsV6 ? 32 : 8)) + (uint)bytes.Length + (uint)Protocol;
        switch (Protocol)
        {
            case IpProtocol.Tcp when bytes.Length >= 20:
            case IpProtocol.IcmpV6 when IsV6 && (IsEcho || IsError):
                return Wrong(Checksum.Sum(bytes, pseudo));
            case IpProtocol.Udp when bytes.Length >= 8 && (bytes[6] | bytes[7]) != 0:
                return Wrong(Checksum.Sum(bytes, pseudo));
            case IpProtocol.Icmp when !IsV6 && (IsEcho || IsError):
                return Wrong(Checksum.Sum(bytes));
            case IpProtocol.Sctp when bytes.Length >= 13:
                var stored = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
                return stored == 0 ? 0 : stored ^ Crc32C.Of([.. bytes[..8], 0, 0, 0, 0, .. bytes[12..]]);
            default:
                return 0;
        }
    }

    // of a sum in which the checksum itself takes part; 0 and 0xffff are the same number
    private static uint Wrong(uint sum) => Checksum.Sum([], sum) is var folded && folded == 0xffff ? 0 : folded;
}
