using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Addresses;

/// <summary>
/// Addresses that must never be a service's, a backend's or a pod range's: translating to or from them would let an object reach into
/// a node's own loopback or link. The API server refuses them for endpoints (ValidateNonSpecialIP); a broken or hostile writer may not.
/// </summary>
internal static class AddrClass
{
    /// <summary>What is wrong with it ("a loopback address"), or null for an ordinary unicast address.</summary>
    public static string? Special(Addr address) => address.IsIPv4 ? SpecialIPv4(address.W3.Host) : SpecialIPv6(address);

    private static string? SpecialIPv4(uint a) => (a >> 24) switch
    {
        0 when a == 0 => "the unspecified address",
        127 => "a loopback address",
        169 when a >> 16 == 0xa9fe => "a link-local address",
        >= 224 and <= 239 => "a multicast address",
        255 when a == uint.MaxValue => "the broadcast address",
        _ => null,
    };

    private static string? SpecialIPv6(Addr a)
    {
        var top = a.W0.Host;
        if (top == 0 && a.W1.Host == 0 && a.W2.Host == 0 && a.W3.Host <= 1)
            return a.W3.Host == 0 ? "the unspecified address" : "a loopback address";
        if (top >> 22 == 0xfe80 >> 6)
            return "a link-local address";
        return top >> 24 == 0xff ? "a multicast address" : null;
    }
}
