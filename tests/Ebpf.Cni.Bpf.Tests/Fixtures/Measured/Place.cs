using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>The hook and device where a packet meets a program.</summary>
/// <param name="Hook">The program.</param>
/// <param name="Ifindex">The device.</param>
/// <param name="From">
/// The device by which the packet entered the node, whose program sent it here; 0 if that is <paramref name="Ifindex"/>.
/// </param>
/// <param name="Src">The frame's source MAC address.</param>
/// <param name="Dst">The frame's destination MAC address.</param>
/// <param name="Unpacked">The packet carries the metadata of a tunnel from the other node.</param>
internal sealed record Place(Hook Hook, int Ifindex, int From, MacAddr Src, MacAddr Dst, bool Unpacked = false)
{
    public static Place Client(MeasuredNode node) => new(Hook.PodEgress, node.ClientIfindex, 0, Macs.Client, Macs.Gateway);

    public static Place Server(MeasuredNode node) => new(Hook.PodEgress, node.ServerIfindex, 0, Macs.Server, Macs.ServerGateway);

    public static Place Uplink(MeasuredNode node) =>
        new(Hook.UplinkIngress, node.UplinkIfindex, 0, MeasuredNode.PeerMac, MeasuredNode.UplinkMac);

    public static Place OutOfTunnel(MeasuredNode node) =>
        new(Hook.OverlayIngress, node.TunnelIfindex, 0, Macs.TunnelSender, Macs.Tunnel, Unpacked: true);

    /// <summary>Redirected there by the program of the client pod.</summary>
    public static Place IntoTunnel(MeasuredNode node) =>
        new(Hook.OverlayEgress, node.TunnelIfindex, node.ClientIfindex, Macs.TunnelSender, Macs.Tunnel);
}
