using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>
/// A namespace of its own with a veth pair in it: what is sent to <see cref="Far"/> leaves by the near end and arrives
/// at the far one.
/// </summary>
public sealed class VethPair : IDisposable
{
    public static readonly IPAddress Near = IPAddress.Parse("10.9.0.1"), Far = IPAddress.Parse("10.9.0.2");

    public VethPair()
    {
        Namespace = NetworkNamespace.CreateAnonymous();
        Netlink = RouteNetlink.Open(Namespace);
        NearIndex = Netlink.AddVeth("near", "far").Index;
        FarIndex = Netlink.FindLink("far")!.Index;
        Netlink.SetUp(NearIndex);
        Netlink.SetUp(FarIndex);
        Netlink.AddAddress(NearIndex, Near, 24);
        Netlink.ReplaceNeighbour(NearIndex, Far, Netlink.FindLink(FarIndex)!.Mac);
    }

    public NetworkNamespace Namespace { get; }

    public RouteNetlink Netlink { get; }

    public int NearIndex { get; }

    public int FarIndex { get; }

    /// <summary>Sends one small UDP packet to the far end.</summary>
    public void Send() => Namespace.Run(() =>
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.SendTo([1, 2, 3, 4], new IPEndPoint(Far, 9));
    });

    public void Dispose()
    {
        Netlink.Dispose();
        Namespace.Dispose();
    }
}
