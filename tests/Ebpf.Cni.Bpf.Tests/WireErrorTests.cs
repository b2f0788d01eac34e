using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Real kernels act on the errors they get about packets that were translated, and accept SCTP's checksums.</summary>
public sealed class WireErrorTests
{
    private const int EveryProtocol = 0x0300; // ETH_P_ALL in network order
    private const ConfigFlags Flags = ConfigFlags.TcServices | ConfigFlags.RedirectPeer;

    [Theory, InlineData(false), InlineData(true)]
    public void A_connection_through_a_service_learns_the_MTU_of_its_path(bool v6)
    {
        const int Mtu = 1400, Bulk = 1024 * 1024;
        using var wires = new Wires(Flags);
        var remote = wires.AddRemote(Mtu);
        using var server = remote.Run(() => Bound(Address.Remote(v6), SocketType.Stream, ProtocolType.Tcp));
        server.Listen();
        var vip = IPEndPoint.Parse(Address.At(Address.Vip(v6), 80));
        wires.Programs.AddService(vip.ToString(), IpProtocol.Tcp, server.LocalEndPoint!.ToString()!);
        using var client = wires.Client.Run(() => Bound(Address.Client(v6), SocketType.Stream, ProtocolType.Tcp));
        client.Connect(vip);
        using var accepted = server.Accept();
        Assert.Equal(1500, PathMtu(client, v6));

        var sender = new Thread(() => client.Send(new byte[Bulk]));
        sender.Start();
        var buffer = new byte[65536];
        for (var got = 0; got < Bulk;)
        {
            var read = accepted.Receive(buffer);
            Assert.True(read > 0, "the connection ended early");
            got += read;
        }
        sender.Join();
        Assert.Equal(Mtu, PathMtu(client, v6));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_datagram_to_a_closed_port_behind_a_service_is_refused(bool v6)
    {
        using var wires = new Wires(Flags);
        wires.Programs.AddService(Address.At(Address.Vip(v6), 53), IpProtocol.Udp, Address.At(Address.Server(v6), 5353));
        using var client = wires.Client.Run(() => Bound(Address.Client(v6), SocketType.Dgram, ProtocolType.Udp));
        client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), 53)));
        client.Send("anybody?"u8);
        var refused = Assert.Throws<SocketException>(() => client.Receive(new byte[100]));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void The_checksum_of_a_long_SCTP_packet_survives_new_ports(bool v6)
    {
        using var wires = new Wires(Flags);
        wires.SetMtu(65535);
        wires.Programs.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Sctp, Address.At(Address.Server(v6), 8080));
        // no kernel needs to know SCTP: one side writes whole IP packets, the other reads whole frames
        using var client = wires.Client.Run(() =>
            new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Raw));
        using var server = wires.Server.Run(() =>
            new Socket(AddressFamily.Packet, SocketType.Raw, (ProtocolType)EveryProtocol) { ReceiveTimeout = 20_000 });
        var buffer = new byte[65536];
        foreach (var length in new[] { 2047, 4095, 4096, 9001, 20000, 32768, 49000, 65400 })
        {
            var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Sctp,
                Payload = new byte[length] };
            Random.Shared.NextBytes(request.Payload);
            client.SendTo(request.Bytes()[14..], new IPEndPoint(IPAddress.Parse(request.Dst), 0));
            var expected = (request with { Dst = Address.Server(v6), Dport = 8080, Ttl = 63 }).Bytes();
            int got;
            do
                got = server.Receive(buffer); // what else is on the wire is shorter: neighbour discovery, a stack that knows no SCTP
            while (got < expected.Length);
            Assert.True(expected.AsSpan(14).SequenceEqual(buffer.AsSpan(14, got - 14)), $"{length} bytes arrived changed");
        }
    }

    // IP_MTU and IPV6_MTU
    private static int PathMtu(Socket socket, bool v6)
    {
        Span<byte> value = stackalloc byte[4];
        socket.GetRawSocketOption(v6 ? 41 : 0, v6 ? 24 : 14, value);
        return BinaryPrimitives.ReadInt32LittleEndian(value);
    }

    private static Socket Bound(string address, SocketType type, ProtocolType protocol)
    {
        var local = new IPEndPoint(IPAddress.Parse(address), 0);
        var socket = new Socket(local.AddressFamily, type, protocol) { ReceiveTimeout = 20_000, SendTimeout = 20_000 };
        socket.Bind(local);
        return socket;
    }
}
