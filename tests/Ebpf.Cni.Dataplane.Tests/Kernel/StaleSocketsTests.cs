using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Real sockets in a pod's and in the node's namespace. That a hook translated one is what its entry in the table says, so the tests write that.</summary>
public sealed class StaleSocketsTests : IDisposable
{
    private const ushort Port = 5353;
    private static readonly Addr Backend = Addr.Parse("127.0.0.1"), Backend6 = Addr.Parse("::1");

    private readonly Playground _ground = new();
    private readonly NetworkNamespace _node = NetworkNamespace.CreateAnonymous();
    private readonly string _podPath = Path.Combine(Directory.CreateTempSubdirectory("ebc-stale-").FullName, "pod");
    private readonly NetworkNamespace _pod;
    private readonly NodeDataplane _dataplane;
    private readonly List<Socket> _sockets = [];

    public StaleSocketsTests()
    {
        _pod = NetworkNamespace.Create(_podPath);
        _dataplane = _node.Run(() => NodeDataplane.Open(_ground.Options));
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
        _dataplane.Dispose();
        _pod.Dispose();
        NetworkNamespace.Remove(_podPath);
        Directory.Delete(Path.GetDirectoryName(_podPath)!);
        _node.Dispose();
        _ground.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_translated_socket_is_told_and_one_that_was_not_lives_on(bool inPod)
    {
        var place = inPod ? _pod : _node;
        var translated = Connect(place, Backend, led: true);
        var direct = Connect(place, Backend, led: false);
        var waiting = translated.ReceiveAsync(new byte[16]);
        var alsoWaiting = direct.ReceiveAsync(new byte[16]);
        var report = _dataplane.StaleSockets.Destroy([_podPath], [Gone(Backend)]);
        Assert.Equal((1, 0), (report.Destroyed, report.Errors.Length));
        var error = await Assert.ThrowsAsync<SocketException>(async () => await waiting);
        Assert.Equal(SocketError.ConnectionAborted, error.SocketErrorCode);
        Assert.False(alsoWaiting.IsCompleted);
        Assert.Equal(0, _dataplane.StaleSockets.Destroy([_podPath], [Gone(Backend)]).Destroyed);
    }

    [Fact]
    public void Both_families_are_found_and_an_IPv6_socket_that_talks_IPv4()
    {
        Connect(_pod, Backend6, led: true);
        Connect(_pod, Backend, led: true, mapped: true);
        Assert.Equal(2, _dataplane.StaleSockets.Destroy([_podPath], [Gone(Backend), Gone(Backend6)]).Destroyed);
    }

    [Fact]
    public void Sockets_of_other_services_backends_and_protocols_are_left_alone()
    {
        var socket = Connect(_pod, Backend, led: true);
        var others = new[]
        {
            Gone(Backend) with { ServiceId = 8 }, Gone(Backend) with { Port = U16Be.FromHost(Port + 1) }, Gone(Addr.Parse("127.0.0.2")),
            Gone(Backend) with { Protocol = IpProtocol.Sctp },
        };
        Assert.Equal(0, _dataplane.StaleSockets.Destroy([_podPath], others).Destroyed);
        Assert.Equal(1, _dataplane.StaleSockets.Destroy([_podPath], [.. others, Gone(Backend)]).Destroyed);
        Assert.True(socket.Connected);
    }

    [Fact]
    public void A_namespace_that_is_gone_is_no_error_and_one_that_is_none_is_told()
    {
        Connect(_pod, Backend, led: true);
        var report = _dataplane.StaleSockets.Destroy(["/nowhere/at/all", "/proc/self/stat", _podPath], [Gone(Backend)]);
        Assert.Equal(1, report.Destroyed);
        Assert.Contains("/proc/self/stat", Assert.Single(report.Errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void After_a_start_backends_that_sockets_still_hang_on_are_told_as_gone()
    {
        Connect(_pod, Backend, led: true);
        Assert.Equal([Gone(Backend)], _dataplane.Services.Apply(Compiler.Output.DesiredState.Empty).GoneBackends);
    }

    private static GoneBackend Gone(Addr address) => new(7, address, U16Be.FromHost(Port), IpProtocol.Udp);

    private Socket Connect(NetworkNamespace place, Addr backend, bool led, bool mapped = false)
    {
        var socket = place.Run(() =>
        {
            var address = mapped ? backend.ToIPAddress().MapToIPv6() : backend.ToIPAddress();
            var connected = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            if (mapped)
                connected.DualMode = true;
            connected.Connect(address, Port);
            return connected;
        });
        _sockets.Add(socket);
        if (!led)
            return socket;
        const int socketLevel = 1, cookieOption = 57;
        var cookie = new byte[sizeof(ulong)];
        socket.GetRawSocketOption(socketLevel, cookieOption, cookie);
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.SockRev));
        map.Update(
            new SockRevKey(BitConverter.ToUInt64(cookie), backend, U16Be.FromHost(Port)),
            new SockRev { Addr = Addr.Parse("10.96.0.1"), Port = U16Be.FromHost(53), ServiceId = 7 });
        return socket;
    }
}
