using Ebpf.Cni.Dataplane.Cluster;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// socket.bpf.o on a cgroup of its own, with this process inside it, and two network namespaces where nothing but loopback exists: one
/// is the node's, as far as the programs know, the other is a pod's. A socket belongs for life to the cgroup and the namespace that it was
/// made in.
/// </summary>
internal sealed class SocketSandbox : IDisposable
{
    private static readonly (string Program, CgroupAttach Type)[] Hooks =
    [
        ("ebc_connect4", CgroupAttach.Connect4), ("ebc_connect6", CgroupAttach.Connect6),
        ("ebc_sendmsg4", CgroupAttach.Sendmsg4), ("ebc_sendmsg6", CgroupAttach.Sendmsg6),
        ("ebc_recvmsg4", CgroupAttach.Recvmsg4), ("ebc_recvmsg6", CgroupAttach.Recvmsg6),
        ("ebc_getpeer4", CgroupAttach.Getpeername4), ("ebc_getpeer6", CgroupAttach.Getpeername6),
        ("ebc_bind4", CgroupAttach.Bind4), ("ebc_bind6", CgroupAttach.Bind6), ("ebc_sock_ops", CgroupAttach.SockOps),
        ("ebc_sock_release", CgroupAttach.SockRelease),
    ];

    private readonly Stack<Action> _undo = new();
    private readonly NetworkNamespace _pod;
    private readonly NetworkNamespace _node;
    private readonly BpfMap _backends;
    private readonly BpfMap _cpu;
    private uint _nextSegment;

    /// <param name="flags">The programs' configuration.</param>
    /// <param name="tableSize">Of the tables of unconnected datagram sockets; 0: as the object has it.</param>
    public SocketSandbox(ConfigFlags flags = ConfigFlags.SetRetval, uint tableSize = 0)
    {
        Requires.Root();
        try
        {
            var name = $"ebc-bpf-tests-{Environment.ProcessId}-{Guid.NewGuid():N}";
            _pod = Own(NetworkNamespace.CreateAnonymous());
            _node = Own(NetworkNamespace.CreateAnonymous());
            (PodCookie, NodeCookie) = (_pod.Run(Cookie), _node.Run(Cookie));

            using var socket = BpfObject.Open(Repository.BpfObject("socket"));
            socket.SetReadOnlyGlobal(MapNames.Config, new Config(flags) with { HostNetnsCookie = NodeCookie });
            socket.SetMaxEntries(MapNames.Backend, 1024);
            if (tableSize > 0)
                foreach (var table in new[] { MapNames.SockFlow, MapNames.SockRev })
                    socket.SetMaxEntries(table, tableSize);
            socket.Load();
            Services = Own(socket.GetMap(MapNames.Service));
            Affinities = Own(socket.GetMap(MapNames.Affinity));
            SourceRanges = Own(socket.GetMap(MapNames.SourceRange));
            Netns = Own(socket.GetMap(MapNames.Netns));
            Node = Own(new NodeGlobals(socket.GetMap(MapNames.Node)));
            Asked = Own(socket.GetMap(MapNames.Sk));
            Finder = Own(socket.GetProgram("ebc_sock_find"));
            Ipcache = Own(socket.GetMap(MapNames.Ipcache));
            Flows = Own(socket.GetMap(MapNames.SockFlow));
            Reverse = Own(socket.GetMap(MapNames.SockRev));
            Stats = Own(socket.GetMap(MapNames.Stat));
            Events = Own(socket.GetMap(MapNames.Events));
            _backends = Own(socket.GetMap(MapNames.Backend));
            _cpu = Own(socket.GetMap(MapNames.Cpu));

            var cgroup = CgroupDirectory.Create(Path.Combine(CgroupDirectory.FindMountPoint(), name));
            _undo.Push(cgroup.Remove);
            var home = CgroupDirectory.Open(Path.Combine(CgroupDirectory.FindMountPoint(), OwnCgroup()));
            cgroup.Add(Environment.ProcessId);
            _undo.Push(() => Leave(cgroup, home));
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

    public ulong PodCookie { get; }
    public ulong NodeCookie { get; }
    public BpfMap Services { get; } = null!;
    public BpfMap Affinities { get; } = null!;
    public BpfMap SourceRanges { get; } = null!;
    public BpfMap Netns { get; } = null!;
    internal NodeGlobals Node { get; } = null!;
    public BpfMap Ipcache { get; } = null!;

    /// <summary>Kept with the sockets; the key is a socket's descriptor.</summary>
    public BpfMap Asked { get; } = null!;

    public BpfProgram Finder { get; } = null!;

    /// <summary>Of unconnected datagram sockets with several frontends.</summary>
    public BpfMap Flows { get; } = null!;
    public BpfMap Reverse { get; } = null!;
    public BpfMap Stats { get; } = null!;
    public BpfMap Events { get; } = null!;

    /// <summary>In the pod's namespace.</summary>
    public void Run(Action work) => _pod.Run(work);

    public void RunOnNode(Action work) => _node.Run(work);

    /// <summary>What a socket asked for first, or is connected to.</summary>
    public Sk? AskedBy(Socket socket) => Asked.TryLookup((uint)socket.Handle, out Sk asked) ? asked : null;

    public void SetService(string frontend, IpProtocol protocol, SvcFlags flags, params IPEndPoint[] backends) =>
        SetService(frontend, protocol, new Svc(0, 0, 1, flags, 0), backends, []);

    /// <summary>
    /// As the agent does it: a new segment, both runs sorted, then one switch. The rest of the frontend is <paramref name="shape"/>'s.
    /// </summary>
    public void SetService(string frontend, IpProtocol protocol, Svc shape, IEnumerable<IPEndPoint> chosen, IEnumerable<IPEndPoint> tail)
    {
        var offset = _nextSegment;
        var counts = new[] { chosen, tail }.Select(run => Write(run, shape.ServiceId)).ToArray();
        Services.Update(PodPrograms.Key(frontend, protocol), shape with { Offset = offset, Count = counts[0], Tail = counts[1] });
    }

    private uint Write(IEnumerable<IPEndPoint> run, uint serviceId)
    {
        var sorted = run.Select(b => new Backend(Addr.From(b.Address), U16Be.FromHost((ushort)b.Port), BackendFlags.Local, serviceId))
            .OrderBy(b => b.Addr).ThenBy(b => b.Port.Host).ToArray();
        foreach (var backend in sorted)
            _backends.Update(_nextSegment++, backend);
        return (uint)sorted.Length;
    }

    // SO_NETNS_COOKIE
    private static ulong Cookie()
    {
        const int SolSocket = 1, SoNetnsCookie = 71;
        using var socket = New(AddressFamily.InterNetwork, ProtocolType.Udp);
        Span<byte> cookie = stackalloc byte[sizeof(ulong)];
        Assert.Equal(sizeof(ulong), socket.GetRawSocketOption(SolSocket, SoNetnsCookie, cookie));
        return BitConverter.ToUInt64(cookie);
    }

    public void ForgetStats()
    {
        foreach (var (key, _) in Stats.ReadAll<StatKey, Stat>())
            Stats.Delete(key);
    }

    public ulong Count(Reason reason)
    {
        var cpus = new Cpu[BpfMap.PossibleCpus];
        _cpu.LookupPerCpu(0u, cpus.AsSpan());
        return cpus.Aggregate(0UL, (sum, cpu) => sum + cpu.Count(Hook.Socket, reason).Packets);
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

    /// <summary>This process, and what tests beside this one have started meanwhile: children are born where their parent is.</summary>
    private static void Leave(CgroupDirectory cgroup, CgroupDirectory home)
    {
        home.Add(Environment.ProcessId);
        foreach (var child in cgroup.ProcessIds)
        {
            try
            {
                home.Add(child);
            }
            catch (IOException)
            {
                // It has ended.
            }
        }
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
