using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Bpf;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Whose calls are translated, to what addresses and ports.</summary>
[Collection("sockets")]
public sealed class SocketReachTests
{
    private static SvcKey AddressOf(string service) => new(Addr.From(IPEndPoint.Parse(service).Address), default, 0, Scope.Internal);

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_port_that_a_cluster_IP_does_not_have_is_refused(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox(ConfigFlags.SetRetval | ConfigFlags.DropEvents);
        var events = new List<Event>();
        using var ring = new RingBuffer(sandbox.Events, record => events.Add(MemoryMarshal.Read<Event>(record)));
        var other = service.Replace(":80", ":81", StringComparison.Ordinal);
        sandbox.Run(() =>
        {
            using var server = Servers(service, ProtocolType.Tcp, 1)[0];
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            // the address is not one of ours yet: the namespace has no way there
            Assert.Equal(SocketError.NetworkUnreachable, Connect(family, ProtocolType.Tcp, other));
            sandbox.Services.Update(AddressOf(service), new Svc(0, 0, 5, SvcFlags.Address, 0));
            Assert.Equal(SocketError.ConnectionRefused, Connect(family, ProtocolType.Tcp, other));
            // datagrams are refused where they pass
            Assert.Equal(SocketError.NetworkUnreachable, Connect(family, ProtocolType.Udp, service)); // the port, by another protocol
            using var datagrams = SocketSandbox.New(family, ProtocolType.Udp);
            Assert.Equal(SocketError.NetworkUnreachable, Error(() => datagrams.SendTo(new byte[1], Asked(family, other))));
            Assert.Equal(SocketError.Success, Connect(family, ProtocolType.Tcp, service));
        });
        Assert.Equal((1UL, 1UL), (sandbox.Count(Reason.Port), sandbox.Count(Reason.Service)));
        Assert.Equal(1, ring.Poll(TimeSpan.Zero));
        Assert.All(events, e =>
            Assert.Equal((Reason.Port, Hook.Socket, Addr.From(IPEndPoint.Parse(service).Address)), (e.Reason, e.Hook, e.Dst)));
    }

    [Fact]
    public void Only_the_marker_of_an_address_refuses()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Services.Update(AddressOf(Vip4), new Svc(0, 0, 5, SvcFlags.None, 0));
        sandbox.Run(() => Assert.Equal(SocketError.NetworkUnreachable, Connect(AddressFamily.InterNetwork, ProtocolType.Tcp, Vip4)));
        Assert.Equal(0UL, sandbox.Count(Reason.Port));
    }

    [Theory]
    [InlineData(AddressFamily.InterNetwork, "127.0.0.1:30080"), InlineData(AddressFamily.InterNetwork, "127.1.2.3:30080")]
    [InlineData(AddressFamily.InterNetworkV6, "127.0.0.1:30080"), InlineData(AddressFamily.InterNetworkV6, "[::1]:30080")]
    public void Loopback_is_translated_for_the_node_and_never_for_a_pod(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        void Serve(SocketError expected, ulong translated)
        {
            using var server = Servers(service, ProtocolType.Tcp, 1)[0];
            using var own = SocketSandbox.New(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Udp);
            own.Bind(IPEndPoint.Parse(service));
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None);
            Assert.Equal(expected, Connect(family, ProtocolType.Tcp, service));
            Assert.Equal(translated, sandbox.Count(Reason.Service));
            // a service without backends takes no datagram away from what listens on the loopback
            using var datagrams = SocketSandbox.New(family, ProtocolType.Udp);
            Assert.Equal(SocketError.Success, Error(() => datagrams.SendTo(new byte[1], Asked(family, service))));
            Assert.Equal(1, own.Receive(new byte[8]));
        }
        // nobody listens for TCP there: the pod's own loopback answers, and it refuses
        sandbox.Run(() => Serve(SocketError.ConnectionRefused, 0));
        Assert.Equal(0UL, sandbox.Count(Reason.NoBackend));
        sandbox.RunOnNode(() => Serve(SocketError.Success, 1));
        Assert.Equal(0UL, sandbox.Count(Reason.NoBackend));
    }

    [Theory, InlineData(ConfigFlags.SetRetval, true), InlineData(ConfigFlags.SetRetval | ConfigFlags.HostOnly, false)]
    public void Host_only_leaves_pods_alone(ConfigFlags flags, bool podIsTranslated)
    {
        using var sandbox = new SocketSandbox(flags);
        void Serve(bool translated)
        {
            foreach (var (family, service) in new[] { (AddressFamily.InterNetwork, Vip4), (AddressFamily.InterNetworkV6, Vip6),
                (AddressFamily.InterNetworkV6, Vip4) })
            {
                using var stream = Servers(service, ProtocolType.Tcp, 1)[0];
                using var datagrams = Servers(service, ProtocolType.Udp, 1)[0];
                sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)stream.LocalEndPoint!);
                sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, (IPEndPoint)datagrams.LocalEndPoint!);
                var expected = translated ? SocketError.Success : SocketError.NetworkUnreachable;
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                Assert.Equal(
                    (expected, expected, expected),
                    (Connect(family, ProtocolType.Tcp, service), Connect(family, ProtocolType.Udp, service),
                        Error(() => client.SendTo(new byte[1], Asked(family, service)))));
                // not even refused
                sandbox.Services.Update(AddressOf(service), new Svc(0, 0, 5, SvcFlags.Address, 0));
                Assert.Equal(
                    translated ? SocketError.ConnectionRefused : SocketError.NetworkUnreachable,
                    Connect(family, ProtocolType.Tcp, service.Replace(":80", ":81", StringComparison.Ordinal)));
            }
        }
        sandbox.Run(() => Serve(podIsTranslated));
        Assert.Equal(podIsTranslated ? 9UL : 0, sandbox.Count(Reason.Service));
        sandbox.RunOnNode(() => Serve(true));
        Assert.Equal(podIsTranslated ? 18UL : 9, sandbox.Count(Reason.Service));
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Who_is_outside_the_source_ranges_goes_on_untranslated(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Netns.Update(new NetnsKey(sandbox.PodCookie), new Netns(Addr.Parse(Address.Client4), Addr.Parse(Address.Client6)));
        sandbox.Node.SetOwn(Addr.Parse(Address.Remote4), Addr.Parse(Address.Remote6));
        var v6 = IPEndPoint.Parse(service).AddressFamily == AddressFamily.InterNetworkV6;
        SrangeKey Only(string address) => new(32 + 128, U32Be.FromHost(1), Addr.Parse(address));
        void Serve(SocketError expected)
        {
            using var server = Servers(service, ProtocolType.Tcp, 1)[0];
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.SourceRanges, (IPEndPoint)server.LocalEndPoint!);
            Assert.Equal(expected, Connect(family, ProtocolType.Tcp, service));
        }
        sandbox.SourceRanges.Update(Only(Address.Client(v6)), new Srange(1));
        sandbox.Run(() => Serve(SocketError.Success));
        sandbox.RunOnNode(() => Serve(SocketError.NetworkUnreachable));
        sandbox.SourceRanges.Update(Only(Address.Remote(v6)), new Srange(1));
        sandbox.RunOnNode(() => Serve(SocketError.Success));
        sandbox.SourceRanges.Delete(Only(Address.Client(v6)));
        sandbox.Run(() => Serve(SocketError.NetworkUnreachable));
        Assert.Equal(2UL, sandbox.Count(Reason.Service));
        // counted where the packet is dropped, and nowhere else
        Assert.Equal((0UL, 0UL), (sandbox.Count(Reason.SourceRange), sandbox.Count(Reason.NoBackend)));
    }

    [Fact]
    public void A_namespace_that_nobody_knows_is_in_no_range_although_all_of_IPv4_is()
    {
        using var sandbox = new SocketSandbox();
        sandbox.SourceRanges.Update(new SrangeKey(32 + 96, U32Be.FromHost(1), Addr.Parse("0.0.0.0")), new Srange(1));
        SocketError Ask()
        {
            using var server = Servers(Vip4, ProtocolType.Tcp, 1)[0];
            sandbox.SetService(Vip4, IpProtocol.Tcp, SvcFlags.SourceRanges, (IPEndPoint)server.LocalEndPoint!);
            return Connect(AddressFamily.InterNetwork, ProtocolType.Tcp, Vip4);
        }
        sandbox.Run(() => Assert.Equal(SocketError.NetworkUnreachable, Ask()));
        sandbox.Netns.Update(new NetnsKey(sandbox.PodCookie), new Netns(Addr.Parse(Address.Client4), default));
        sandbox.Run(() => Assert.Equal(SocketError.Success, Ask()));
    }
}
