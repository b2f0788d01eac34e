using System.Globalization;
using System.Net;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// A layer-2 network between machines, dual-stack, and the router's addresses in it: what the default routes of its nodes lead to.
/// </summary>
public sealed record LinkAddresses
{
    public const int PrefixLengthV4 = 24;
    public const int PrefixLengthV6 = 64;

    /// <summary>One digit each.</summary>
    public const int MostLinks = 10;

    private readonly string _second;

    /// <param name="number">From 0 on: 172.30.0.0/24 and fd00:30::/64, then 172.31.0.0/24 and fd00:31::/64.</param>
    public LinkAddresses(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, MostLinks);
        Number = number;
        _second = (30 + number).ToString(CultureInfo.InvariantCulture);
    }

    public int Number { get; }

    public IPAddress GatewayV4 => V4(1);

    public IPAddress GatewayV6 => V6(1);

    /// <summary>The bridge that is this link, in the fabric's namespace.</summary>
    internal string Bridge => Number == 0 ? "fabric" : $"fabric{Number}";

    /// <summary>The router's device in it.</summary>
    internal string RouterDevice => $"eth{Number}";

    internal IPAddress V4(int host) => IPAddress.Parse($"172.{_second}.0.{host}");

    // in text an IPv6 group is hexadecimal; written with decimal digits it reads like the IPv4 address beside it
    internal IPAddress V6(int host) => IPAddress.Parse($"fd00:{_second}::{host}");
}
