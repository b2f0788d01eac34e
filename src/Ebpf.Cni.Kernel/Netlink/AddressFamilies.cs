using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>The kernel's numbers of address families (.NET's differ).</summary>
internal static class AddressFamilies
{
    public const byte Unspecified = 0, IPv4 = 2, IPv6 = 10, Netlink = 16;

    public static byte Of(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => IPv4,
            AddressFamily.InterNetworkV6 => IPv6,
            var other => throw new ArgumentException($"{address} is of the family {other}"),
        };
    }

    public static bool IsIp(byte family) => family is IPv4 or IPv6;

    /// <summary>Bytes of an address.</summary>
    public static int Size(byte family) => family switch
    {
        IPv4 => 4,
        IPv6 => 16,
        _ => throw new NetlinkFormatException($"addresses of family {family} are unknown"),
    };

    public static IPAddress Any(byte family) => family == IPv4 ? IPAddress.Any : IPAddress.IPv6Any;
}
