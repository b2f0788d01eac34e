using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// An uplink with VLAN devices above it sees their frames too, with the tag beside the frame. They are the VLAN devices', which may be
/// uplinks themselves: one translation, not two. The kernel these run on need not have VLAN devices: a program that runs first puts the tag
/// where they put it.
/// </summary>
public sealed class VlanWireTests
{
    private const int PushTag = 18; // bpf_skb_vlan_push
    private const int Next = -1; // TCX_NEXT
    private const ushort TagBigEndian = 0x0081;

    [Theory, InlineData(false), InlineData(true)]
    public void A_tagged_frame_that_arrives_is_not_the_untagged_devices(bool v6)
    {
        using var town = new Town(ConfigFlags.None);
        using var outside = RouteNetlink.Open(town.Outside);
        using var node = RouteNetlink.Open(town.Node);
        var eth = outside.FindLink("eth0")!;
        town.Programs.SetService(
            PodPrograms.Key(Address.At(Town.NodeAddress(v6), 30080), IpProtocol.Udp), SvcFlags.None, BackendFlags.Local,
            Address.At(Address.Server(v6), 80));
        var frame = new Packet
        {
            SrcMac = MacAddr.FromBytes(eth.Mac), DstMac = MacAddr.FromBytes(node.FindLink("eth0")!.Mac), Src = Town.OutsideAddress(v6),
                Dst = Town.NodeAddress(v6),
            Protocol = IpProtocol.Udp, Dport = 30080,
        }.Bytes();
        using var sender = town.Outside.Run(() => FrameSocket.Open(eth.Index));
        using var seen = town.Node.Run(() => FrameSocket.Open(node.FindLink("eth0")!.Index));
        sender.Send(FrameSocket.Tagged(frame, 10));
        Hear(seen, frame);
        Assert.Equal(0UL, town.Programs.Count(Reason.Service, Hook.UplinkIngress));
        sender.Send(frame);
        Hear(seen, frame);
        Assert.True(SpinWait.SpinUntil(() => town.Programs.Count(Reason.Service, Hook.UplinkIngress) == 1, TimeSpan.FromSeconds(10)),
            town.Programs.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_tagged_frame_that_leaves_was_seen_by_the_VLAN_device(bool v6)
    {
        using var town = new Town(ConfigFlags.None);
        var lower = town.Node.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var made = netlink.AddVeth("lower", "far");
            netlink.SetUp(netlink.FindLink("far")!.Index);
            netlink.AddAddress(made.Index, IPAddress.Parse(v6 ? "fd00:60::1" : "192.168.60.1"), v6 ? 64 : 24);
            netlink.SetUp(made.Index);
            netlink.ReplaceNeighbour(made.Index, IPAddress.Parse(v6 ? "fd00:60::2" : "192.168.60.2"), [2, 0, 0, 0, 0, 9]);
            return made.Index;
        });
        using var tag = town.Node.Run(() => Tag(lower)); // runs first
        var links = town.Node.Run(() => town.Programs.AttachUplink(lower));
        using var sender = town.Node.Run(
            () => new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        var peer = IPEndPoint.Parse(Address.At(v6 ? "fd00:60::2" : "192.168.60.2", 9));
        town.Programs.SetService(PodPrograms.Key(peer.ToString(), IpProtocol.Udp), SvcFlags.None, BackendFlags.Local,
            Address.At(Address.Server(v6), 80));
        sender.SendTo("tagged"u8, peer);
        Assert.Equal(0UL, town.Programs.Count(Reason.Service, Hook.HostEgress));
        // The control: without the tag it is a packet like any other.
        tag.Dispose();
        sender.SendTo("plain"u8, peer);
        Assert.Equal(1UL, town.Programs.Count(Reason.Service, Hook.HostEgress));
        links.ForEach(l => l.Dispose());
    }

    private static BpfLink Tag(int ifindex)
    {
        using var program = BpfProgram.Load("tag", BpfProgramType.TrafficClassifier,
        [
            BpfInstruction.Move(2, TagBigEndian), BpfInstruction.Move(3, 10), BpfInstruction.Call(PushTag), BpfInstruction.Move(0, Next),
                BpfInstruction.Exit,
        ]);
        return BpfLink.AttachTcx(program, ifindex, TcDirection.Egress);
    }

    // taps see what arrives before programs do, without its tag
    private static void Hear(Socket socket, byte[] frame)
    {
        var buffer = new byte[2048];
        while (!buffer.AsSpan(0, socket.Receive(buffer)).SequenceEqual(frame))
        {
        }
    }
}
