using System.Net;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Addresses;

/// <summary>
/// Addresses as the API holds them. Kubernetes reads stored objects with ParseIPSloppy (k8s.io/utils/net): leading zeros of an
/// IPv4 part are decimal, and an IPv4-mapped IPv6 address is IPv4. Everything else that <see cref="IPAddress"/> would take
/// ("1", "0x7f.1", "[::1]", zones) is malformed.
/// </summary>
internal static class AddrText
{
    private const int LongestIPv6 = 45;

    public static bool TryParse(ReadOnlySpan<char> text, out Addr address) =>
        text.Contains(':') ? TryParseIPv6(text, out address) : TryParseIPv4(text, out address);

    private static bool TryParseIPv4(ReadOnlySpan<char> text, out Addr address)
    {
        address = default;
        Span<byte> bytes = stackalloc byte[4];
        var at = 0;
        for (var part = 0; part < 4; part++)
        {
            if (part > 0 && (at >= text.Length || text[at++] != '.'))
                return false;
            var start = at;
            var value = 0;
            while (at < text.Length && at - start < 3 && char.IsAsciiDigit(text[at]))
                value = value * 10 + (text[at++] - '0');
            if (at == start || value > byte.MaxValue)
                return false;
            bytes[part] = (byte)value;
        }
        if (at != text.Length)
            return false;
        address = Addr.FromBytes(bytes);
        return true;
    }

    private static bool TryParseIPv6(ReadOnlySpan<char> text, out Addr address)
    {
        address = default;
        if (text.Length > LongestIPv6)
            return false;
        foreach (var c in text)
            if (!char.IsAsciiHexDigit(c) && c is not (':' or '.'))
                return false;
        if (!IPAddress.TryParse(text, out var parsed))
            return false;
        address = Addr.From(parsed);
        return true;
    }
}
