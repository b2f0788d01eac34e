using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary>
/// <c>struct ebc_addr</c>: 16 bytes, network order; IPv4 is mapped (::ffff:a.b.c.d). Ordered as the bytes are,
/// so IPv4 sorts together and each family sorts numerically.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Addr : IComparable<Addr>
{
    public U32Be W0 { get; }
    public U32Be W1 { get; }
    public U32Be W2 { get; }
    public U32Be W3 { get; }

    private Addr(ReadOnlySpan<byte> bytes)
    {
        W0 = U32Be.FromHost(BinaryPrimitives.ReadUInt32BigEndian(bytes));
        W1 = U32Be.FromHost(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]));
        W2 = U32Be.FromHost(BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));
        W3 = U32Be.FromHost(BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]));
    }

    public bool IsIPv4 => W0.Host == 0 && W1.Host == 0 && W2.Host == 0xffff;

    /// <summary>From 4 (IPv4) or 16 (IPv6 or already mapped) bytes in network order.</summary>
    /// <exception cref="ArgumentException">Another length.</exception>
    public static Addr FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 16)
            return new Addr(bytes);
        if (bytes.Length != 4)
            throw new ArgumentException("an address has 4 or 16 bytes", nameof(bytes));
        Span<byte> mapped = stackalloc byte[16];
        mapped.Clear();
        mapped[10] = mapped[11] = 0xff;
        bytes.CopyTo(mapped[12..]);
        return new Addr(mapped);
    }

    public static Addr From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return FromBytes(bytes[..written]);
    }

    /// <summary>An address in text, for tests and constants.</summary>
    /// <exception cref="FormatException">Not an address.</exception>
    public static Addr Parse(string text) => From(IPAddress.Parse(text));

    public void CopyTo(Span<byte> sixteen)
    {
        BinaryPrimitives.WriteUInt32BigEndian(sixteen, W0.Host);
        BinaryPrimitives.WriteUInt32BigEndian(sixteen[4..], W1.Host);
        BinaryPrimitives.WriteUInt32BigEndian(sixteen[8..], W2.Host);
        BinaryPrimitives.WriteUInt32BigEndian(sixteen[12..], W3.Host);
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        CopyTo(bytes);
        return new IPAddress(IsIPv4 ? bytes[12..] : bytes);
    }

    public AddressFamily Family => IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;

    public int CompareTo(Addr other)
    {
        var c = W0.Host.CompareTo(other.W0.Host);
        if (c != 0) return c;
        c = W1.Host.CompareTo(other.W1.Host);
        if (c != 0) return c;
        c = W2.Host.CompareTo(other.W2.Host);
        return c != 0 ? c : W3.Host.CompareTo(other.W3.Host);
    }

    public static bool operator <(Addr a, Addr b) => a.CompareTo(b) < 0;
    public static bool operator >(Addr a, Addr b) => a.CompareTo(b) > 0;
    public static bool operator <=(Addr a, Addr b) => a.CompareTo(b) <= 0;
    public static bool operator >=(Addr a, Addr b) => a.CompareTo(b) >= 0;

    public override string ToString() => ToIPAddress().ToString();
}
