using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>
/// What fits through the devices by which peers' tunnels are reached: an InternalIP may be behind a WireGuard or tun device that is no
/// uplink and takes less than those. Asked of the kernel's routes when peers or devices have changed. Not thread-safe.
/// </summary>
internal sealed class UnderlayMtu
{
    private const long LongestKnown = 60_000; // milliseconds

    private long _askedAt;
    private NodeNetworkState? _state;
    private ImmutableArray<DesiredPrefix> _prefixes;
    private Dictionary<Addr, int> _devices = [];
    private int? _known;

    /// <returns>Null without tunnels, or while no route leads to a peer.</returns>
    public int? Of(NodeNetworkState state, ImmutableArray<DesiredPrefix> prefixes)
    {
        if (ReferenceEquals(_state, state) && _prefixes == prefixes)
            return _known;
        var peers = prefixes.Where(p => p.Tunnel is not null).Select(p => p.Tunnel!.Value).ToHashSet();
        if (peers.Count == 0)
        {
            (_state, _prefixes, _devices, _known) = (state, prefixes, [], null);
            return null;
        }

        // One peer that comes is one question, not one for each that is there;
        // but a mesh may set its route to a peer later than the Node comes.
        var known = ReferenceEquals(_state, state) && Environment.TickCount64 - _askedAt < LongestKnown ? _devices : [];
        if (known.Count == 0)
            _askedAt = Environment.TickCount64;
        (_state, _prefixes) = (null, default);
        var devices = new Dictionary<Addr, int>(peers.Count);
        using (var netlink = RouteNetlink.Open())
            foreach (var peer in peers)
                devices[peer] = known.TryGetValue(peer, out var ifindex) && ifindex != 0
                    ? ifindex
                    : netlink.InterfaceTowards(peer.ToIPAddress());
        var uplinks = devices.Values.ToHashSet();
        _known = state.Links.Where(l => uplinks.Contains(l.Index) && l.Mtu > 0).Min(l => (int?)l.Mtu);
        (_state, _prefixes, _devices) = (state, prefixes, devices);
        return _known;
    }
}
