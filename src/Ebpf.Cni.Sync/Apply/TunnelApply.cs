using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>
/// The tunnels' device: there as soon as a peer needs it, gone when none did between two verifications: who leaves often comes back. Not
/// thread-safe.
/// </summary>
internal sealed class TunnelApply(SyncOptions options)
{
    private OverlayOptions? _made;
    private int _seen;
    private bool _idleBefore;
    private bool _verified;
    private (ImmutableArray<DesiredPrefix> Of, bool Any) _tunnelled;

    /// <summary>0 without a device.</summary>
    public int Ifindex { get; private set; }

    /// <summary>The next apply does not rely on what the last one left.</summary>
    public void Verify() => (_made, _verified) = (null, true);

    /// <summary>The device may have lost its address or a setting: the next apply makes it again.</summary>
    public void Lost() => _made = null;

    /// <summary>Before anything leads into it.</summary>
    /// <param name="dataplane">Of this node.</param>
    /// <param name="view">With the device as it was seen last; what another has deleted or changed is made again.</param>
    /// <param name="desired">Who needs it.</param>
    /// <param name="mtu">Of packets in it.</param>
    /// <returns>1 if the device was made or changed.</returns>
    public int Ensure(NodeDataplane dataplane, NodeView view, DesiredState desired, int mtu)
    {
        var seen = view.TunnelDevice;
        if (!IsNeeded(desired))
        {
            Ifindex = seen;
            return 0;
        }

        _idleBefore = false;
        var wanted = new OverlayOptions { Port = options.TunnelPort, Vni = options.TunnelVni, Mtu = mtu, SysctlRoot = options.SysctlRoot };
        if (wanted == _made && (seen == Ifindex || (seen == _seen && _seen != Ifindex)))
        {
            _seen = seen;
            return 0;
        }

        // If this fails, what there was stays what destinations are led to: dropped there, they do not wander about the network.
        _made = null;
        Ifindex = dataplane.Overlay.Ensure(wanted);
        (_made, _seen) = (wanted, seen);
        return 1;
    }

    /// <summary>After nothing leads into it any more.</summary>
    /// <returns>1 if the device was removed.</returns>
    public int RemoveIdle(NodeDataplane dataplane, DesiredState desired)
    {
        var idle = _verified && !IsNeeded(desired) && Ifindex != 0;
        var remove = idle && _idleBefore;
        if (_verified)
            (_idleBefore, _verified) = (idle, false);
        if (!remove)
            return 0;
        dataplane.Overlay.Remove();
        (_made, Ifindex) = (null, 0);
        return 1;
    }

    /// <summary>Where routes into the tunnel lead; null without a device.</summary>
    public TunnelRoute? Route(NodeNetwork network) =>
        Ifindex == 0 ? null : new TunnelRoute(Ifindex, network.V4?.ToIPAddress(), network.V6?.ToIPAddress());

    private bool IsNeeded(DesiredState desired)
    {
        if (_tunnelled.Of != desired.Prefixes)
            _tunnelled = (desired.Prefixes, desired.Prefixes.Any(p => p.Tunnel is not null));
        return _tunnelled.Any;
    }
}
