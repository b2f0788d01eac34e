using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// socket.bpf.o on a cgroup of its own, with this process inside it, and a network namespace where nothing but loopback exists. A
/// socket belongs for life to the cgroup and the namespace that it was made in.
/// </summary>
internal sealed class SocketSandbox : IDisposable
{
    private static readonly (string Program, CgroupAttach Type)[] Hooks =
    [
        ("ebc_connect4", CgroupAttach.Connect4), ("ebc_connect6", CgroupAttach.Connect6),
        ("ebc_sendmsg4", CgroupAttach.Sendmsg4), ("ebc_sendmsg6", CgroupAttach.Sendmsg6),
        ("ebc_recvmsg4", CgroupAttach.Recvmsg4), ("ebc_recvmsg6", CgroupAttach.Recvmsg6),
        ("ebc_getpeer4", CgroupAttach.Getpeername4), ("ebc_getpeer6", CgroupAttach.Getpeername6),
    ];

    private readonly Stack<Action> _undo = new();
    private readonly NetworkNamespace _namespace;
    private readonly BpfMap _services;
    private readonly BpfMap _backends;
    private readonly BpfMap _metrics;
    private uint _nextSegment;

    public SocketSandbox(ConfigFlags flags = ConfigFlags.SetRetval)
    {
        Requires.Root();
        try
        {
            var name = $"ebc-bpf-tests-{Environment.ProcessId}-{Guid.NewGuid():N}";
            var netns = Path.Combine(Path.GetTempPath(), name);
            _namespace = NetworkNamespace.Create(netns);
            _undo.Push(() => NetworkNamespace.Remove(netns));
            _undo.Push(_namespace.Dispose);

            using var socket = BpfObject.Open(Repository.BpfObject("socket"));
            socket.SetReadOnlyGlobal(MapNames.Config, new Config(flags));
            socket.SetMaxEntries(MapNames.Backend, 1024);
            socket.Load();
            _services = Own(socket.GetMap(MapNames.Service));
            _backends = Own(socket.GetMap(MapNames.Backend));
            _metrics = Own(socket.GetMap(MapNames.Metric));

            var cgroup = CgroupDirectory.Create(Path.Combine(CgroupDirectory.FindMountPoint(), name));
            _undo.Push(cgroup.Remove);
            var home = CgroupDirectory.Open(Path.Combine(CgroupDirectory.FindMountPoint(), OwnCgroup()));
            cgroup.Add(Environment.ProcessId);
            _undo.Push(() => home.Add(Environment.ProcessId));
            foreach (var (program, type) in Hooks)
            {
                using var loaded = socket.GetProgram(program);
                Own(BpfLink.AttachCgroup(loaded, cgroup.DirectoryPath, type));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Run(Action work) => _namespace.Run(work);

    public void SetService(string frontend, IpProtocol protocol, SvcFlags flags, params IPEndPoint[] backends)
    {
        var offset = _nextSegment;
        foreach (var backend in backends)
            _backends.Update(_nextSegment++, new Backend(Addr.From(backend.Address), U16Be.FromHost((ushort)backend.Port), BackendFlags.Local, 1));
        _services.Update(PodPrograms.Key(frontend, protocol), new Svc(offset, (uint)backends.Length, 1, flags, 0));
    }

    public ulong Count(Reason reason)
    {
        var cpus = new Metric[BpfMap.PossibleCpus];
        _metrics.LookupPerCpu(Metric.Index(reason, Hook.Socket), cpus.AsSpan());
        return cpus.Aggregate(0UL, (sum, m) => sum + m.Packets);
    }

    /// <summary>A socket on loopback with a port of its own; listening if it is a stream.</summary>
    public static Socket Server(AddressFamily family, ProtocolType protocol)
    {
        var socket = New(family, protocol);
        socket.Bind(new IPEndPoint(family == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback, 0));
        if (protocol == ProtocolType.Tcp)
            socket.Listen(64);
        return socket;
    }

    /// <summary>An IPv6 socket does both families.</summary>
    public static Socket New(AddressFamily family, ProtocolType protocol)
    {
        var socket = new Socket(family, protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram, protocol)
        {
            ReceiveTimeout = 10_000,
            SendTimeout = 10_000,
        };
        if (family == AddressFamily.InterNetworkV6)
            socket.DualMode = true;
        return socket;
    }

    public void Dispose()
    {
        while (_undo.TryPop(out var undo))
            undo();
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _undo.Push(resource.Dispose);
        return resource;
    }

    // "0::/path"
    private static string OwnCgroup() =>
        File.ReadLines("/proc/self/cgroup").First(l => l.StartsWith("0::", StringComparison.Ordinal))[3..].TrimStart('/');
}
