using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Addresses;

/// <summary>
/// A range of pod addresses of one family. Host bits in the text are cleared, as Go's ParseCIDR does. Ordered by first address, then the
/// wider range first, so that of two ranges that overlap one contains the other and comes first.
/// </summary>
public readonly record struct PodCidr : IComparable<PodCidr>
{
    private const int MappedBits = 96;

    private readonly UInt128 _first;
    private readonly byte _mappedLength;

    private PodCidr(UInt128 first, int mappedLength)
    {
        _first = first & Mask(mappedLength);
        _mappedLength = (byte)mappedLength;
    }

    public bool IsIPv4 => Network.IsIPv4;

    public AddressFamily Family => Network.Family;

    /// <summary>The first address.</summary>
    public Addr Network => AddrNumber.ToAddr(_first);

    /// <summary>In the family's own bits: 0..32 or 0..128.</summary>
    public int PrefixLength => IsIPv4 ? _mappedLength - MappedBits : _mappedLength;

    /// <summary>How many addresses lie in the range, all counted; 2^128 is given as 2^128 - 1.</summary>
    public UInt128 Size => _mappedLength == 0 ? UInt128.MaxValue : UInt128.One << (128 - _mappedLength);

    internal UInt128 First => _first;

    internal UInt128 Last => _first | ~Mask(_mappedLength);

    public bool Contains(Addr address) => (AddrNumber.Of(address) & Mask(_mappedLength)) == _first;

    public bool Overlaps(PodCidr other) =>
        ((_first ^ other._first) & Mask(Math.Min(_mappedLength, other._mappedLength))) == 0;

    public IPNetwork ToIPNetwork() => new(Network.ToIPAddress(), PrefixLength);

    /// <summary>Reads "10.244.1.0/24" or "fd00:1::/64"; false for anything else and for IPv4-mapped IPv6.</summary>
    public static bool TryParse(string? text, out PodCidr cidr)
    {
        cidr = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash < 0 || !AddrText.TryParse(text.AsSpan(0, slash), out var address))
            return false;
        var ipv4 = address.IsIPv4;
        if (ipv4 && text.AsSpan(0, slash).Contains(':'))
            return false;
        if (!byte.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            || length > (ipv4 ? 32 : 128))
            return false;
        cidr = new PodCidr(AddrNumber.Of(address), ipv4 ? MappedBits + length : length);
        return true;
    }

    /// <summary>A range in text, for tests and constants.</summary>
    /// <exception cref="FormatException">Not a range.</exception>
    public static PodCidr Parse(string text) =>
        TryParse(text, out var cidr) ? cidr : throw new FormatException($"'{text}' is not a range of addresses");

    public int CompareTo(PodCidr other)
    {
        var c = _first.CompareTo(other._first);
        return c != 0 ? c : _mappedLength.CompareTo(other._mappedLength);
    }

    public static bool operator <(PodCidr a, PodCidr b) => a.CompareTo(b) < 0;
    public static bool operator >(PodCidr a, PodCidr b) => a.CompareTo(b) > 0;
    public static bool operator <=(PodCidr a, PodCidr b) => a.CompareTo(b) <= 0;
    public static bool operator >=(PodCidr a, PodCidr b) => a.CompareTo(b) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Network}/{PrefixLength}");

    private static UInt128 Mask(int mappedLength) => mappedLength == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - mappedLength);
}
