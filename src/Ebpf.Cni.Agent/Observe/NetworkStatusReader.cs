using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.State;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>The status of the node's network: addresses, ranges of pods, uplinks, routes to peers.</summary>
public sealed class NetworkStatusReader(AgentOptions options, NodeState node, PodMtu mtu, EndpointStore addresses, AppliedState applied)
{
    public NetworkStatus Read()
    {
        var (state, view) = node.Seen;
        var network = view?.Network;
        var resting = addresses.AtRest.ToDictionary(r => r.Family, r => r.Resting);
        var desired = applied.Current;
        return new NetworkStatus
        {
            Addresses = [.. new[] { network?.V4, network?.V6 }.OfType<Addr>().Select(a => a.ToString())],
            PodCidrs = [.. addresses.Ranges.Select(r => r.ToString())],
            PodAddresses =
            [
                .. addresses.Usage.Select(u => new AddressUse(
                    u.Family == System.Net.Sockets.AddressFamily.InterNetwork ? "ipv4" : "ipv6", u.InUse,
                    resting.GetValueOrDefault(u.Family), u.Capacity)),
            ],
            Uplinks =
            [
                .. (network?.Uplinks ?? []).Select(u => new UplinkStatus(
                    u.Name, state.Links.FirstOrDefault(l => l.Index == u.Ifindex)?.Mtu ?? 0, u.V4?.ToString(), u.V6?.ToString())),
            ],
            Unfit = [.. (network?.Unfit ?? []).Select(u => $"{u.Name} {u.Cause}")],
            PodMtu = options.CniMode == CniMode.Full ? Mtu() : 0,
            Tunnel = state.TunnelDevice == 0 ? null : Dataplane.Overlay.OverlayOptions.DeviceName,
            DirectPeers = desired.Routes.Where(r => r.Gateway is not null).Select(r => r.Node).Distinct().Count(),
            TunnelPeers = desired.Routes.Where(r => r.Gateway is null).Select(r => r.Node).Distinct().Count(),
        };
    }

    private int Mtu()
    {
        try
        {
            return mtu.Value;
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            return 0;
        }
    }
}
