using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>
/// Real sockets in a pod's and in the node's namespace. That a hook translated one is what its storage says, so the tests write that.
/// </summary>
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
        _dataplane.StaleSockets.Namespaces = () => [_podPath];
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
        var report = _dataplane.StaleSockets.Destroy([Gone(Backend)]);
        Assert.Equal((1, 0), (report.Destroyed, report.Errors.Length));
        var error = await Assert.ThrowsAsync<SocketException>(async () => await waiting);
        Assert.Equal(SocketError.ConnectionAborted, error.SocketErrorCode);
        Assert.False(alsoWaiting.IsCompleted);
        Assert.Equal(0, _dataplane.StaleSockets.Destroy([Gone(Backend)]).Destroyed);
    }

    [Fact]
    public void Both_families_are_found_and_an_IPv6_socket_that_talks_IPv4()
    {
        Connect(_pod, Backend6, led: true);
        Connect(_pod, Backend, led: true, mapped: true);
        Assert.Equal(2, _dataplane.StaleSockets.Destroy([Gone(Backend), Gone(Backend6)]).Destroyed);
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
        Assert.Equal(0, _dataplane.StaleSockets.Destroy(others).Destroyed);
        Assert.Equal(1, _dataplane.StaleSockets.Destroy([.. others, Gone(Backend)]).Destroyed);
        Assert.True(socket.Connected);
    }

    [Fact]
    public void A_namespace_that_is_gone_is_no_error_and_one_that_is_none_is_told()
    {
        Connect(_pod, Backend, led: true);
        _dataplane.StaleSockets.Namespaces = () => ["/nowhere/at/all", "/proc/self/stat", _podPath];
        var report = _dataplane.StaleSockets.Destroy([Gone(Backend)]);
        Assert.Equal(1, report.Destroyed);
        Assert.Contains("/proc/self/stat", Assert.Single(report.Errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void After_a_start_backends_that_sockets_still_hang_on_are_told_as_gone()
    {
        Connect(_pod, Backend, led: true);
        Assert.Equal([Gone(Backend)], _dataplane.Services.Apply(Compiler.Output.DesiredState.Empty).RemovedBackends);
    }

    /// <summary>Through the real hooks: a process in the cgroup and the pod.</summary>
    [Theory]
    [InlineData("10.96.0.1", "127.0.0.1")]
    [InlineData("fd00:96::1", "::1")]
    public async Task Any_number_of_short_sockets_hides_none_that_hangs_on_a_backend(string service, string backend)
    {
        const string program = """
            import errno, socket, sys
            service, backend = (sys.argv[1], 53), (sys.argv[2], 5353)
            make = lambda: socket.socket(socket.AF_INET6 if ":" in service[0] else socket.AF_INET, socket.SOCK_DGRAM)
            with make() as server, make() as long:
                server.bind(backend)
                long.connect(service)
                long.settimeout(20)
                for i in range(5000):
                    with make() as short:
                        if i % 2:
                            short.connect(service)
                        short.sendto(b"?", service)
                        server.recv(9)
                print("ready", flush=True)
                try:
                    long.recv(9)
                except OSError as e:
                    print(errno.errorcode.get(e.errno, e))
            """;
        Write(MapNames.Backend, 0u, new Backend(Addr.Parse(backend), U16Be.FromHost(Port), BackendFlags.Local, 7));
        Write(MapNames.Service, new SvcKey(Addr.Parse(service), U16Be.FromHost(53), IpProtocol.Udp, Scope.Internal),
            new Svc(0, 1, 7, SvcFlags.None, 0));
        using var process = Process.Start(new ProcessStartInfo(
            "sh", ["-c", $"echo $$ >{_ground.Options.CgroupRoot}/cgroup.procs; exec nsenter --net={_podPath} python3 -c \"$@\"", "-",
                program, service, backend])
        {
            RedirectStandardOutput = true,
        })!;
        try
        {
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            var gone = Gone(Addr.Parse(backend));
            Assert.Equal(0, _dataplane.StaleSockets.Destroy([gone with { ServiceId = 8 }]).Destroyed);
            Assert.Equal([gone], _dataplane.StaleSockets.Reached());
            Assert.Equal(1, _dataplane.StaleSockets.Destroy([gone]).Destroyed);
            Assert.Equal("ECONNABORTED", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void Sockets_that_share_both_ends_and_such_that_are_bound_to_a_device_are_found()
    {
        var both = Enumerable.Range(0, 2).Select(_ => Connect(_pod, Backend, led: true, prepare: s =>
        {
            const int socketLevel = 1, reusePort = 15;
            s.SetRawSocketOption(socketLevel, reusePort, BitConverter.GetBytes(1));
            s.Bind(new IPEndPoint(IPAddress.Loopback, 40000));
        })).ToList();
        Assert.Equal(2, _dataplane.StaleSockets.Destroy([Gone(Backend)]).Destroyed);
        var bound = Connect(_pod, Backend, led: true, prepare: s =>
        {
            const int socketLevel = 1, bindToDevice = 25;
            s.SetRawSocketOption(socketLevel, bindToDevice, "lo"u8);
        });
        Assert.Equal(1, _dataplane.StaleSockets.Destroy([Gone(Backend)]).Destroyed);
        Assert.All([.. both, bound],
            socket => Assert.NotEqual(0, (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!));
    }

    private void Write<TKey, TValue>(string map, TKey key, TValue value) where TKey : unmanaged where TValue : unmanaged
    {
        using var pinned = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", map));
        pinned.Update(key, value);
    }

    private static RemovedBackend Gone(Addr address) => new(7, address, U16Be.FromHost(Port), IpProtocol.Udp);

    private Socket Connect(NetworkNamespace place, Addr backend, bool led, bool mapped = false, Action<Socket>? prepare = null)
    {
        var socket = place.Run(() =>
        {
            var address = mapped ? backend.ToIPAddress().MapToIPv6() : backend.ToIPAddress();
            var connected = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            if (mapped)
                connected.DualMode = true;
            prepare?.Invoke(connected);
            connected.Connect(address, Port);
            return connected;
        });
        _sockets.Add(socket);
        if (!led)
            return socket;
        const int socketLevel = 1, cookieOption = 57;
        var cookie = new byte[sizeof(ulong)];
        socket.GetRawSocketOption(socketLevel, cookieOption, cookie);
        using var asked = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Sk));
        asked.Update((uint)socket.Handle, new Sk
        {
            Front = Addr.Parse("10.96.0.1"), FrontPort = U16Be.FromHost(53), Backend = backend, Port = U16Be.FromHost(Port),
            ServiceId = 7, Cookie = BitConverter.ToUInt64(cookie),
        });
        return socket;
    }
}
