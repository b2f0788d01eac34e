using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// From what the kernel and the Node object say to how the node is reached: its address in each family, its uplinks, where NodePorts are
/// served. Pure.
/// </summary>
internal static class NodeAddressing
{
    /// <param name="state">From the kernel.</param>
    /// <param name="options">What the operator chose instead.</param>
    /// <param name="internalIPs">
    /// Of the Node object, in its order: the first of a family is the node's primary address. Empty until it is known.
    /// </param>
    /// <param name="memory">Of the <see cref="NodeNetwork.Memory"/> before.</param>
    public static NodeNetwork Of(NodeNetworkState state, IEnumerable<string> internalIPs, SyncOptions options, UplinkMemory memory)
    {
        var own = state.Addresses.Where(a => IsPublic(a.Address)).ToList();
        // An InternalIP may be one that the node does not have itself (a NAT in front of it): what is sent from it would not come back.
        var known = internalIPs.Select(t => IPAddress.TryParse(t, out var a) ? a : null).OfType<IPAddress>().ToList();
        var primary = known.FindAll(a => own.Exists(o => o.Address.Equals(a)));
        var choice = UplinkChoice.Of(state, known, options.Uplinks, memory);
        var uplinks = choice.Devices.Select(l => new UplinkDevice(
            l.Index, l.Name, Choose(l.Index, AddressFamily.InterNetwork), Choose(l.Index, AddressFamily.InterNetworkV6)))
                .ToImmutableArray();
        var (v4, v6) = (NodeAddress(AddressFamily.InterNetwork), NodeAddress(AddressFamily.InterNetworkV6));
        ImmutableArray<Addr> all = [.. own.Select(a => Addr.From(a.Address)).Distinct().Order()];
        return new NodeNetwork(v4, v6)
        {
            // A device that has no address of its own is masqueraded by the node's, as the kernel would.
            Uplinks = [.. uplinks.Select(u => u with { V4 = u.V4 ?? v4, V6 = u.V6 ?? v6 })],
            Addresses = all,
            Unfit = choice.Unfit,
            Main = [.. choice.Devices.Select(l => l.Index).Where(i => !choice.Beside.Contains(i))],
            InternalDevices = [.. own.Where(a => known.Contains(a.Address)).Select(a => a.Ifindex).Distinct().Order()],
            Memory = choice.Memory,
            // kube-proxy's --nodeport-addresses: ranges choose among the node's own addresses, and never add one.
            NodePortAddresses = options.NodePortAddresses.IsEmpty
                ? [.. new[] { v4, v6 }.OfType<Addr>().Order()]
                : [.. all.Where(a => options.NodePortAddresses.Any(n => n.Contains(a.ToIPAddress())))],
        };

        Addr? NodeAddress(AddressFamily family) => primary.Find(a => a.AddressFamily == family) is { } known
            ? Addr.From(known)
            : uplinks.Where(u => !choice.Beside.Contains(u.Ifindex)).Select(u => family == AddressFamily.InterNetwork ? u.V4 : u.V6)
                .FirstOrDefault(a => a is not null);

        // The address that a device's masqueraded traffic has: the one that the kernel itself would most likely take, and the same as long
        // as it lasts.
        Addr? Choose(int ifindex, AddressFamily family)
        {
            var candidates = own.Where(a => a.Ifindex == ifindex && a.Address.AddressFamily == family).ToList();
            var preferred = state.DefaultRoutes.Where(r => r.Ifindex == ifindex).Select(r => r.PreferredSource).ToHashSet();
            return candidates.OrderByDescending(a => primary.Contains(a.Address))
                .ThenByDescending(a => preferred.Contains(a.Address))
                .ThenByDescending(a => a.Permanent)
                .Select(a => (Addr?)Addr.From(a.Address)).FirstOrDefault();
        }
    }

    /// <summary>An address that others may know; loopback's device may have some of these, too.</summary>
    public static bool IsPublic(IPAddress address) =>
        !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal && !address.IsIPv6Multicast
        && !(address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..]);
}
