using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>ClientIP affinity for sockets, which have no source address yet when they choose.</summary>
[Collection("sockets")]
public sealed class SocketAffinityTests
{
    /// <summary>Less than the machine has been running: there is no earlier time than its start.</summary>
    private const uint Seconds = 40;
    private static readonly Svc Affine = new(0, 0, 1, SvcFlags.None, Seconds);

    private static int Met(AddressFamily family, string service, Socket[] servers)
    {
        using var client = SocketSandbox.New(family, ProtocolType.Tcp);
        client.Connect(Asked(family, service));
        var server = Assert.Single(servers, s => s.Poll(TimeSpan.Zero, SelectMode.SelectRead));
        server.Accept().Dispose();
        return Array.IndexOf(servers, server);
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_client_keeps_its_backend_until_the_time_is_over_or_the_backend_goes(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Netns.Update(new NetnsKey(sandbox.PodCookie), new Netns(Addr.Parse(Address.Client4), Addr.Parse(Address.Client6)));
        var v6 = IPEndPoint.Parse(service).AddressFamily == AddressFamily.InterNetworkV6;
        var key = new AffinityKey(Addr.Parse(Address.Client(v6)), 1);
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Tcp, 6);
            void Use(params Socket[] some) => sandbox.SetService(service, IpProtocol.Tcp, Affine, At(some), At(servers.Except(some)));
            void Remember(int server, double secondsAgo)
            {
                var (addr, port) = Backend(servers[server]);
                var lastUsed = (ulong)(Stopwatch.GetTimestamp() - (long)(secondsAgo * Stopwatch.Frequency));
                sandbox.Affinities.Update(key, new Affinity { Addr = addr, Port = port, LastUsedNs = lastUsed });
            }
            Use(servers);
            var first = Met(family, service, servers);
            for (var i = 0; i < 12; i++)
                Assert.Equal(first, Met(family, service, servers));
            Assert.Equal(key, Assert.Single(sandbox.Affinities.ReadAll<AffinityKey, Affinity>()).Key);

            var other = (first + 1) % 6;
            Remember(other, Seconds - 5);
            Assert.Equal(other, Met(family, service, servers));
            // refreshed by that, so what follows is not because it is old
            Use([.. servers.Where((_, i) => i % 2 == other % 2)]);
            Assert.Equal(other, Met(family, service, servers));
            Use([.. servers.Where((_, i) => i != other)]);
            Assert.NotEqual(other, Met(family, service, servers));

            Use(servers);
            // any of the six, each time anew: not the same one for ever (all 40 alike: once in 6^39)
            var met = new HashSet<int>();
            for (var i = 0; i < 40; i++)
            {
                Remember(other, Seconds + 1);
                met.Add(Met(family, service, servers));
            }
            Assert.True(met.Count > 1, $"{met.Count} backend after the time-out");
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Fact]
    public void Datagram_sockets_of_a_client_share_its_backend()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(Vip4, ProtocolType.Udp, 4);
            HashSet<int> MeetAll()
            {
                var met = new HashSet<int>();
                for (var i = 0; i < 24; i++)
                {
                    using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Udp);
                    met.Add(Exchange(client, IPEndPoint.Parse(Vip4), servers));
                }
                return met;
            }
            sandbox.SetService(Vip4, IpProtocol.Udp, Affine, At(servers), []);
            Assert.Single(MeetAll());
            sandbox.SetService(Vip4, IpProtocol.Udp, Affine with { AffinitySec = 0 }, At(servers), []);
            // all 24 the same is one in 2^46
            Assert.NotInRange(MeetAll().Count, 0, 1);
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory]
    [InlineData(AddressFamily.InterNetwork, Vip4, Address.Client4, Address.Remote4),
        InlineData(AddressFamily.InterNetworkV6, Vip6, Address.Client6, Address.Remote6)]
    public void The_client_is_the_pod_or_the_node_or_its_namespace(AddressFamily family, string service, string pod, string node)
    {
        using var sandbox = new SocketSandbox();
        void Serve()
        {
            var servers = Servers(service, ProtocolType.Tcp, 1);
            sandbox.SetService(service, IpProtocol.Tcp, Affine, At(servers), []);
            Met(family, service, servers);
            servers[0].Dispose();
        }
        Addr OnlyClient()
        {
            var only = Assert.Single(sandbox.Affinities.ReadAll<AffinityKey, Affinity>()).Key;
            Assert.True(sandbox.Affinities.Delete(only));
            return only.Client;
        }
        // 100::cookie
        static Addr MadeUp(ulong cookie)
        {
            var bytes = new byte[16];
            bytes[0] = 1;
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), cookie);
            return Addr.FromBytes(bytes);
        }
        sandbox.Run(Serve);
        Assert.Equal(MadeUp(sandbox.PodCookie), OnlyClient());
        sandbox.RunOnNode(Serve);
        Assert.Equal(MadeUp(sandbox.NodeCookie), OnlyClient());

        sandbox.Netns.Update(new NetnsKey(sandbox.PodCookie), new Netns(Addr.Parse(Address.Client4), Addr.Parse(Address.Client6)));
        sandbox.Node.SetOwn(Addr.Parse(Address.Remote4), Addr.Parse(Address.Remote6));
        sandbox.Run(Serve);
        Assert.Equal(Addr.Parse(pod), OnlyClient());
        sandbox.RunOnNode(Serve);
        Assert.Equal(Addr.Parse(node), OnlyClient());

        // a pod without an address of this family
        sandbox.Netns.Update(new NetnsKey(sandbox.PodCookie), default(Netns));
        sandbox.Run(Serve);
        Assert.Equal(MadeUp(sandbox.PodCookie), OnlyClient());
    }
}
