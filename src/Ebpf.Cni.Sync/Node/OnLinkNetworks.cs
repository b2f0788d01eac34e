using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Compiler.Addresses;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// The networks in which this node has neighbours: a neighbour takes a packet whatever its destination, so that it can be the gateway to
/// its pods. Pure.
/// </summary>
internal static class OnLinkNetworks
{
    /// <param name="state">From the kernel.</param>
    /// <param name="uplinks">Indices of the devices that count.</param>
    /// <returns>Sorted; without those of single addresses, as clouds give them, and without those of devices that have no layer 2:
    /// WireGuard, say, discards what is for addresses that the peer was not configured with.</returns>
    public static ImmutableArray<IPNetwork> Of(NodeNetworkState state, IEnumerable<int> uplinks)
    {
        var devices = state.Links.Where(l => l.Ethernet).Select(l => l.Index).Intersect(uplinks).ToHashSet();
        return
        [
            .. state.Addresses
                .Where(a => devices.Contains(a.Ifindex) && !a.Address.IsIPv6LinkLocal && a.PrefixLength < FullLength(a.Address))
                .Select(a => PodCidr.TryParse($"{a.Address}/{a.PrefixLength}", out var network) ? network : (PodCidr?)null)
                .OfType<PodCidr>().Distinct().Order().Select(n => n.ToIPNetwork()),
        ];
    }

    private static int FullLength(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
}
