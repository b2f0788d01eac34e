using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Only an opening packet begins a connection to a frontend: a SYN, an INIT. Any other without an entry begins none.</summary>
public sealed class BeginTests
{
    private const int NodePort = 30080;

    private static readonly string[] Middle = ["SynAck", "Rst", "Ack", "Data", "FinAck", "Fin", "Rst, Ack", "Syn, Rst", "0"];

    /// <summary>Names of <see cref="TcpFlags"/>.</summary>
    public static TheoryData<bool, string> Middles
    {
        get
        {
            var data = new TheoryData<bool, string>();
            foreach (var v6 in new[] { false, true })
                foreach (var flags in Middle)
                    data.Add(v6, flags);
            return data;
        }
    }

    [Theory, MemberData(nameof(Middles))]
    public void What_opens_nothing_begins_no_connection_of_a_pod(bool v6, string flags)
    {
        using var pod = Serving(v6, IpProtocol.Tcp);
        // a cluster IP is never left to the stack
        Assert.NotEqual(PodPrograms.Ok, pod.Send(Request(v6) with { Flags = Enum.Parse<TcpFlags>(flags) }).ReturnValue);
        NothingBegan(pod);
    }

    [Theory, MemberData(nameof(Middles))]
    public void What_opens_nothing_begins_no_connection_from_the_network(bool v6, string flags)
    {
        using var node = Serving(v6, IpProtocol.Tcp);
        var packet = FromOutside(v6) with { Flags = Enum.Parse<TcpFlags>(flags) };
        var arrived = node.Arrive(packet);
        if (arrived.ReturnValue == PodPrograms.Ok) // the node's stack resets what it does not know
            SamePacket.Equal(packet, arrived.Packet);
        NothingBegan(node);
    }

    [Theory]
    [InlineData(false, "Data"), InlineData(true, "Data"), InlineData(false, "InitAck"), InlineData(true, "Abort")]
    [InlineData(false, "CookieEcho"), InlineData(true, "ShutdownAck")]
    public void What_opens_no_association_begins_none(bool v6, string chunk)
    {
        using var pod = Serving(v6, IpProtocol.Sctp);
        var packet = Request(v6) with { Protocol = IpProtocol.Sctp, Chunk = Enum.Parse<SctpChunk>(chunk) };
        Assert.NotEqual(PodPrograms.Ok, pod.Send(packet).ReturnValue);
        NothingBegan(pod);
    }

    /// <summary>The control.</summary>
    [Theory]
    [InlineData(false, IpProtocol.Tcp), InlineData(true, IpProtocol.Tcp)]
    [InlineData(false, IpProtocol.Sctp), InlineData(true, IpProtocol.Sctp)]
    public void What_opens_a_connection_begins_one(bool v6, IpProtocol protocol)
    {
        using (var pod = Serving(v6, protocol))
        {
            Assert.Equal(PodPrograms.Redirect, pod.Send(Request(v6) with { Protocol = protocol }).ReturnValue);
            Assert.Equal((2, 1UL), (Entries.Count(pod), pod.Count(Reason.Service)));
        }
        using var node = Serving(v6, protocol);
        Assert.Equal(PodPrograms.Redirect, node.Arrive(FromOutside(v6) with { Protocol = protocol }).ReturnValue);
        Assert.Equal((2, 1UL), (Entries.Count(node), node.Count(Reason.Service, Hook.UplinkIngress)));
    }

    private static void NothingBegan(PodPrograms node)
    {
        Assert.Equal((0UL, 0UL), (node.Count(Reason.Service), node.Count(Reason.Service, Hook.UplinkIngress)));
        Assert.Equal(0, Entries.Count(node));
    }

    private static Packet Request(bool v6) => new() { Src = Address.Client(v6), Dst = Address.Vip(v6), Chunk = SctpChunk.Init };

    private static Packet FromOutside(bool v6) => new()
    {
        Src = v6 ? "2001:db8:9::9" : "198.51.100.9", Dst = Town.NodeAddress(v6), Dport = NodePort, Chunk = SctpChunk.Init, DstMac = default,
    };

    private static PodPrograms Serving(bool v6, IpProtocol protocol)
    {
        var pod = new PodPrograms(PodPrograms.Usual | ConfigFlags.Masquerade).WithPods();
        pod.SetUplink(0, Town.Node4, Town.Node6);
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Server(v6), 8080));
        pod.AddAddressMarker(Address.Vip(v6));
        pod.AddService(Address.At(Town.NodeAddress(v6), NodePort), protocol, Address.At(Address.Server(v6), 8080));
        return pod;
    }
}
