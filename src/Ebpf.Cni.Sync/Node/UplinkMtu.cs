using System.Net;

namespace Ebpf.Cni.Sync.Node;

/// <summary>What fits through every uplink. Pure.</summary>
internal static class UplinkMtu
{
    /// <summary>Ethernet's, where no device has one.</summary>
    public const int Default = 1500;

    /// <param name="state">From the kernel.</param>
    /// <param name="uplinks">
    /// Their indices; without any, the devices of the default routes count, or else all that are up and have an address.
    /// </param>
    public static int Of(NodeNetworkState state, IEnumerable<int> uplinks)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Smallest(state, uplinks)
            ?? Smallest(state, state.DefaultRoutes.Select(r => r.Ifindex))
            ?? Smallest(
                state, state.Addresses.Where(a => !IPAddress.IsLoopback(a.Address) && !a.Address.IsIPv6LinkLocal).Select(a => a.Ifindex))
            ?? Default;
    }

    private static int? Smallest(NodeNetworkState state, IEnumerable<int> devices)
    {
        var chosen = devices.ToHashSet();
        return state.Links.Where(l => chosen.Contains(l.Index) && l is { Up: true, Mtu: > 0 }).Min(l => (int?)l.Mtu);
    }
}
