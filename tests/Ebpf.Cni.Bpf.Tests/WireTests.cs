using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// The pod programs between real kernels' TCP and UDP, with checksums left to the device and segments of 64 KiB, which a test run
/// has not.
/// </summary>
public sealed class WireTests
{
    private const int Bulk = 8 * 1024 * 1024;

    public static TheoryData<bool, bool> Ways => new() { { false, true }, { true, true }, { false, false }, { true, false } };

    private static ConfigFlags Flags(bool peer) => ConfigFlags.TcServices | (peer ? ConfigFlags.RedirectPeer : 0);

    [Theory, MemberData(nameof(Ways))]
    public void Bulk_data_crosses_a_service_unharmed(bool v6, bool peer)
    {
        using var wires = new Wires(Flags(peer));
        Transfer(wires, wires.Server, Address.Server(v6), v6);
    }

    [Theory, MemberData(nameof(Ways))]
    public void A_pod_talks_to_itself_through_a_service(bool v6, bool peer)
    {
        using var wires = new Wires(Flags(peer));
        Transfer(wires, wires.Client, Address.Client(v6), v6);
    }

    [Theory, MemberData(nameof(Ways))]
    public void A_backend_on_the_host_answers_through_its_stack(bool v6, bool peer)
    {
        using var wires = new Wires(Flags(peer));
        var host = v6 ? "fd00:1::1" : "10.1.0.1";
        using (var node = Kernel.Netlink.RouteNetlink.Open(wires.Node))
            node.AddAddress(1, IPAddress.Parse(host), v6 ? 128 : 32);
        Transfer(wires, wires.Node, host, v6);
        Assert.True(wires.Programs.Count(Reason.Reply, Hook.PodIngress) > 0, wires.Programs.Counts());
    }

    [Theory, MemberData(nameof(Ways))]
    public void Datagrams_cross_a_service_in_one_piece_and_in_many(bool v6, bool peer)
    {
        using var wires = new Wires(Flags(peer));
        using var server = wires.Server.Run(() => Bound(Address.Server(v6), ProtocolType.Udp));
        wires.Programs.AddService(Address.At(Address.Vip(v6), 53), IpProtocol.Udp,
            Address.At(Address.Server(v6), ((IPEndPoint)server.LocalEndPoint!).Port));
        using var client = wires.Client.Run(() => Bound(Address.Client(v6), ProtocolType.Udp));
        client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), 53)));
        foreach (var size in new[] { 1, 1000, 9001, 60000 })
        {
            var sent = new byte[size];
            Random.Shared.NextBytes(sent);
            client.Send(sent);
            var got = new byte[65536];
            EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            Assert.Equal(size, server.ReceiveFrom(got, ref from));
            Assert.Equal(sent, got[..size]);
            server.SendTo(got, size, SocketFlags.None, from);
            Assert.Equal(size, client.Receive(got)); // a connected socket hears its peer only: the service's address
            Assert.Equal(sent, got[..size]);
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public void A_service_without_backends_refuses_a_real_connection(bool v6, bool peer)
    {
        using var wires = new Wires(Flags(peer));
        wires.Programs.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp);
        using var client = wires.Client.Run(() => Bound(Address.Client(v6), ProtocolType.Tcp));
        var refused = Assert.Throws<SocketException>(() => client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), 80))));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    private static void Transfer(Wires wires, NetworkNamespace where, string backend, bool v6)
    {
        using var server = where.Run(() => Bound(backend, ProtocolType.Tcp));
        server.Listen();
        var vip = IPEndPoint.Parse(Address.At(Address.Vip(v6), 80));
        wires.Programs.AddService(vip.ToString(), IpProtocol.Tcp, Address.At(backend, ((IPEndPoint)server.LocalEndPoint!).Port));
        using var client = wires.Client.Run(() => Bound(Address.Client(v6), ProtocolType.Tcp));
        client.Connect(vip);
        using var accepted = server.Accept();
        var bytes = new byte[Bulk];
        Random.Shared.NextBytes(bytes);
        foreach (var (from, to) in new[] { (client, accepted), (accepted, client) })
        {
            to.ReceiveTimeout = 20_000;
            var sender = new Thread(() => from.Send(bytes));
            sender.Start();
            var got = new byte[Bulk];
            for (var at = 0; at < Bulk;)
            {
                var read = to.Receive(got.AsSpan(at));
                Assert.True(read > 0, "the connection ended early");
                at += read;
            }
            sender.Join();
            Assert.True(bytes.AsSpan().SequenceEqual(got), "the data arrived changed");
        }
        Assert.Equal(vip, client.RemoteEndPoint);
        Assert.DoesNotContain("Rewrite", wires.Programs.Counts(), StringComparison.Ordinal);
    }

    private static Socket Bound(string address, ProtocolType protocol)
    {
        var local = new IPEndPoint(IPAddress.Parse(address), 0);
        var socket = new Socket(local.AddressFamily, protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram, protocol)
        {
            ReceiveTimeout = 20_000,
            SendTimeout = 20_000,
        };
        socket.Bind(local);
        return socket;
    }
}
