using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Bpf;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A socket of the node cannot take a NodePort.</summary>
[Collection("sockets")]
public sealed class BindGuardTests
{
    private const ConfigFlags On = ConfigFlags.SetRetval | ConfigFlags.BindGuard | ConfigFlags.DropEvents;
    private const int NodePort = 30080;

    // a NodePort for TCP on 127.0.0.1, and on ::1 for the test's sake
    private static SocketSandbox Prepared(ConfigFlags flags)
    {
        var sandbox = new SocketSandbox(flags);
        sandbox.Services.Update(new SvcKey(default, U16Be.FromHost(NodePort), IpProtocol.Tcp, Scope.Bind),
            new Svc(0, 0, 9, SvcFlags.None, 0));
        foreach (var address in new[] { "127.0.0.1", "::1" })
            sandbox.Services.Update(PodPrograms.Key(Address.At(address, NodePort), IpProtocol.Tcp), new Svc(0, 0, 9, SvcFlags.None, 0));
        return sandbox;
    }

    private static SocketError Bind(string at, ProtocolType protocol = ProtocolType.Tcp)
    {
        var address = IPEndPoint.Parse(at);
        using var socket = SocketSandbox.New(address.AddressFamily, protocol);
        return Error(() => socket.Bind(address));
    }

    [Theory]
    [InlineData("0.0.0.0:30080"), InlineData("127.0.0.1:30080"), InlineData("[::]:30080"), InlineData("[::1]:30080")]
    [InlineData("[::ffff:0.0.0.0]:30080"), InlineData("[::ffff:127.0.0.1]:30080")]
    public void A_NodePort_is_taken(string at)
    {
        using var sandbox = Prepared(On);
        var events = new List<Event>();
        using var ring = new RingBuffer(sandbox.Events, record => events.Add(MemoryMarshal.Read<Event>(record)));
        sandbox.RunOnNode(() => Assert.Equal(SocketError.AddressAlreadyInUse, Bind(at)));
        Assert.Equal(1UL, sandbox.Count(Reason.Bind));
        Assert.Equal(1, ring.Poll(TimeSpan.Zero));
        Assert.Equal(
            (Reason.Bind, Hook.Socket, IpProtocol.Tcp, 9u, Addr.From(IPEndPoint.Parse(at).Address), U16Be.FromHost(NodePort)),
            (events[0].Reason, events[0].Hook, events[0].Proto, events[0].ServiceId, events[0].Src, events[0].Sport));
    }

    [Theory]
    [InlineData("0.0.0.0:30081", ProtocolType.Tcp), InlineData("0.0.0.0:30080", ProtocolType.Udp),
        InlineData("127.0.0.2:30080", ProtocolType.Tcp)]
    [InlineData("0.0.0.0:0", ProtocolType.Tcp), InlineData("[::]:0", ProtocolType.Tcp), InlineData("[::]:30081", ProtocolType.Tcp)]
    public void Other_ports_protocols_and_addresses_are_free(string at, ProtocolType protocol)
    {
        using var sandbox = Prepared(On);
        sandbox.RunOnNode(() => Assert.Equal(SocketError.Success, Bind(at, protocol)));
        Assert.Equal(0UL, sandbox.Count(Reason.Bind));
    }

    [Fact]
    public void Pods_have_ports_of_their_own()
    {
        using var sandbox = Prepared(On);
        sandbox.Run(() => Assert.Equal((SocketError.Success, SocketError.Success), (Bind("0.0.0.0:30080"), Bind("[::1]:30080"))));
    }

    [Fact]
    public void Without_the_option_nothing_is_guarded()
    {
        using var sandbox = Prepared(On & ~ConfigFlags.BindGuard);
        sandbox.RunOnNode(() => Assert.Equal((SocketError.Success, SocketError.Success), (Bind("0.0.0.0:30080"), Bind("[::]:30080"))));
    }

    [Fact]
    public void A_kernel_that_can_only_deny_says_permission_denied()
    {
        using var sandbox = Prepared(On & ~ConfigFlags.SetRetval);
        sandbox.RunOnNode(() => Assert.Equal(SocketError.AccessDenied, Bind("0.0.0.0:30080")));
    }

    [Fact]
    public void A_frontend_that_is_no_NodePort_guards_nothing()
    {
        using var sandbox = Prepared(On);
        sandbox.Services.Delete(new SvcKey(default, U16Be.FromHost(NodePort), IpProtocol.Tcp, Scope.Bind));
        sandbox.RunOnNode(() => Assert.Equal((SocketError.Success, SocketError.Success), (Bind("127.0.0.1:30080"), Bind("0.0.0.0:30080"))));
    }
}
