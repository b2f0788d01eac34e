using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Agent.Node;

/// <summary>
/// What fits through the devices by which peers' tunnels are reached: an InternalIP may be behind a WireGuard or tun device that is no uplink and takes less than those. Asked of the kernel's
/// routes when peers or devices have changed. Not thread-safe.
/// </summary>
internal sealed class UnderlayMtu
{
    private NetworkFacts? _facts;
    private ImmutableArray<DesiredPrefix> _prefixes;
    private int? _known;

    /// <returns>Null without tunnels, or while no route leads to a peer.</returns>
    public int? Of(NetworkFacts facts, ImmutableArray<DesiredPrefix> prefixes)
    {
        if (ReferenceEquals(_facts, facts) && _prefixes == prefixes)
            return _known;
        (_facts, _prefixes) = (facts, prefixes);
        var peers = prefixes.Where(p => p.Tunnel is not null).Select(p => p.Tunnel!.Value).ToHashSet();
        if (peers.Count == 0)
            return _known = null;
        using var netlink = RouteNetlink.Open();
        var devices = peers.Select(p => netlink.InterfaceTowards(p.ToIPAddress())).ToHashSet();
        return _known = facts.Links.Where(l => devices.Contains(l.Index) && l.Mtu > 0).Min(l => (int?)l.Mtu);
    }
}
