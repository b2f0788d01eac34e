using System.Globalization;
using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// NO_PROXY as Go's programs read it, kubectl among them (golang.org/x/net/http/httpproxy): names,
/// which stand for their subdomains too, a leading dot or "*." for those alone, addresses, CIDR
/// ranges, each but a range with a port if wanted, and * for everything. Loopback is never proxied.
/// </summary>
internal sealed class NoProxy
{
    private readonly List<Func<string, IPAddress?, int, bool>> _entries = [];

    public NoProxy(string? list)
    {
        foreach (var entry in (list ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (Matcher(entry.ToLowerInvariant()) is { } matcher)
                _entries.Add(matcher);
    }

    /// <summary>Whether a server is asked directly.</summary>
    /// <param name="host">A name or an address, without brackets.</param>
    /// <param name="port">The server's.</param>
    public bool Covers(string host, int port)
    {
        var name = host.ToLowerInvariant();
        var address = Address(name);
        return name == "localhost"
            || (address is not null && IPAddress.IsLoopback(address))
            || _entries.Exists(e => e(name, address, port));
    }

    private static Func<string, IPAddress?, int, bool>? Matcher(string entry)
    {
        if (entry == "*")
            return static (_, _, _) => true;
        if (Range(entry) is { } range)
            return (_, address, _) => address is not null && range.Contains(address);
        var (host, port) = Split(entry);
        if (host.Length == 0)
            return null;
        if (Address(host) is { } single)
            return (_, address, at) => single.Equals(address) && (port is null || port == at);
        var suffix = host.StartsWith("*.", StringComparison.Ordinal) ? host[1..] : host;
        var itself = suffix[0] != '.';
        if (itself)
            suffix = "." + suffix;
        return (name, _, at) =>
            (name.EndsWith(suffix, StringComparison.Ordinal) || (itself && name == suffix[1..])) && (port is null || port == at);
    }

    /// <summary>host:port, [address]:port, or what is neither; a port that is no number matches no server.</summary>
    private static (string Host, int? Port) Split(string entry)
    {
        var colon = entry.LastIndexOf(':');
        var bracketed = entry.StartsWith('[');
        if (bracketed && entry.EndsWith(']'))
            return (entry[1..^1], null);
        if (colon < 0 || (!bracketed && entry.IndexOf(':', StringComparison.Ordinal) != colon))
            return (entry, null);
        var port = int.TryParse(entry.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
        return (entry[..colon].Trim('[', ']'), port);
    }

    /// <summary>A range may be written with any address in it.</summary>
    private static IPNetwork? Range(string entry)
    {
        var slash = entry.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || Address(entry[..slash]) is not { } address
            || !int.TryParse(entry.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length))
            return null;
        var bytes = address.GetAddressBytes();
        if (length > bytes.Length * 8)
            return null;
        for (var bit = length; bit < bytes.Length * 8; bit++)
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        return new IPNetwork(new IPAddress(bytes), length);
    }

    /// <summary>Only the usual forms: not the octal or short ones that .NET reads as well.</summary>
    private static IPAddress? Address(string text)
    {
        if (!(text.Contains(':', StringComparison.Ordinal) || text.Count(static c => c == '.') == 3)
            || !IPAddress.TryParse(text, out var address))
            return null;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
