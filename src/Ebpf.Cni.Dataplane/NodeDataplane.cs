using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Sockets;
using Ebpf.Cni.Dataplane.Tables;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane;

/// <summary>
/// A node's dataplane. <see cref="Open"/> takes over what an earlier agent has left: pinned maps keep their content, pinned links get this
/// agent's programs in place. Disposing closes descriptors only; everything keeps working without the agent.
/// </summary>
/// <remarks>
/// Dying at any instruction of <see cref="Open"/> is harmless: maps are pinned (backends before frontends, all empty) before a program that
/// uses them is attached; a link is pinned after it is attached, and without a pin it dies with the agent; programs are replaced in place,
/// each by one that uses the same maps, or by one that uses a copy beside them (<see cref="MapGrowth"/>), so any mixture of old and new
/// programs works. One agent at a time may use a bpffs root: the caller sees to that.
/// </remarks>
public sealed class NodeDataplane : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly List<IDisposable> _installed = [];
    private BpfProgram? _reap;
    private BpfProgram? _finder;
    private BpfMap? _events;
    private ImmutableArray<Func<TableUsage>> _counters = [];
    private readonly List<string> _notices = [];

    private NodeDataplane(DataplaneOptions options, TimeProvider time)
    {
        try
        {
            Features = KernelFeatures.Probe();
            if (!Features.MappableArrays)
                throw new DataplaneException("this kernel cannot map BPF arrays into memory; ebpf-cni needs Linux 5.10 or later");
            BpfFileSystem.Ensure(options.BpffsRoot);
            var pins = new PinLayout(options.BpffsRoot);
            pins.Create();
            var wholeLo = options.SocketLb != SocketLbMode.Off && KeepsHostTranslation(pins, options, time);
            // A conntrack table of another size: the first programs use it beside the former one, the next ones alone.
            while (Install(pins, options, wholeLo))
            {
            }
            OpenTables(pins, options, time);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// Loads all programs, puts them in the place of those that run, and then the tables that they use in the place of the former ones.
    /// </summary>
    /// <returns>Whether the programs need to be replaced once more.</returns>
    [MemberNotNull(nameof(Pods), nameof(Uplinks), nameof(Overlay), nameof(Adoption), nameof(Globals), nameof(_reap))]
    private bool Install(PinLayout pins, DataplaneOptions options, bool wholeLo)
    {
        DisposeAll(_installed);
        using var maps = new MapLoader(pins, options, _notices);
        maps.Tidy();
        var loader = new ProgramLoader(options, maps, ConfigFor(options, wholeLo));
        using (var pod = loader.Load(ProgramLoader.Pod))
            Pods = Installed(new PodPrograms(pins, pod, Features.Tcx));
        using (var uplink = loader.Load(ProgramLoader.Uplink))
        {
            Globals = Installed(new NodeGlobals(BpfMap.OpenPinned(pins.Map(MapNames.Node))));
            Uplinks = Installed(new UplinkPrograms(pins, uplink, BpfMap.OpenPinned(pins.Map(MapNames.Uplink)), Globals, Features.Tcx));
            _reap = Installed(uplink.GetProgram("ebc_ct_reap"));
        }
        using (var overlay = loader.Load(ProgramLoader.Overlay))
            Overlay = Installed(new NodeOverlay(new OverlayPrograms(pins, overlay, Features.Tcx), Globals));
        if (options.SocketLb == SocketLbMode.Off)
            TryLoopbackHooks(() => LoadSockets(pins, loader));
        else
            LoadSockets(pins, loader);

        // tc first: it translates what no socket hook has, so either order of modes has no gap.
        maps.Follow();
        var adoption = Pods.Adopt();
        Adoption ??= adoption;
        Uplinks.Adopt();
        Overlay.Programs.Adopt();
        if (options.SocketLb != SocketLbMode.Off)
            Sockets!.Attach(options.CgroupRoot, options.BindGuard);
        else if (Sockets is not { } sockets || !TryLoopbackHooks(() => sockets.Attach(options.CgroupRoot, loopbackOnly: true)))
            SocketPrograms.Detach(pins);
        maps.Commit();
        return maps.NeededBoth;
    }

    private void LoadSockets(PinLayout pins, ProgramLoader loader)
    {
        using var socket = loader.Load(ProgramLoader.Socket);
        Sockets = Installed(new SocketPrograms(pins, socket));
        _finder?.Dispose();
        _finder = socket.GetProgram(SocketPrograms.Finder);
    }

    /// <summary>Without tc's help a node has no Services, without these hooks a corner of them: no reason to stop.</summary>
    private bool TryLoopbackHooks(Action work)
    {
        try
        {
            work();
            return true;
        }
        catch (Exception e) when (e is BpfLoadException or KernelException or IOException or UnauthorizedAccessException)
        {
            _notices.Add(
                $"socket-lb off: the loopback socket hooks cannot be attached ({e.Message}); node clients bound to a node address " +
                "do not reach NodePorts and hostPorts at 127.0.0.1 behind kubelet's firewall rule");
            return false;
        }
    }

    [MemberNotNull(nameof(Services), nameof(Endpoints), nameof(Counters), nameof(Routes), nameof(Ipcache), nameof(Conntrack), nameof(Stats),
        nameof(StaleSockets))]
    private void OpenTables(PinLayout pins, DataplaneOptions options, TimeProvider time)
    {
        var backends = Own(OpenMap(pins, MapNames.Backend).MapWindows<Backend>());
        var readers = Own(BpfGracePeriod.Create());
        Services = new ServiceDataplane(
            new ServiceTables(
                new KernelTable<SvcKey, Svc>(OpenMap(pins, MapNames.Service)),
                new KernelBackendArray(backends),
                new KernelTable<SrangeKey, Srange>(OpenMap(pins, MapNames.SourceRange))) 
                {
                    Changing = Globals.Changing,
                    WaitForReaders = () => TryWait(readers),
                },
            options.SegmentRest, time);
        Endpoints = new EndpointTable(OpenMap(pins, MapNames.Endpoint), TryOpenMap(pins, MapNames.Netns));
        Ipcache = new IpcacheTable(new KernelTable<IpcacheKey, Ipcache>(OpenMap(pins, MapNames.Ipcache)));
        Conntrack = Own(new ConntrackTable(
            BpfMap.OpenPinned(pins.Map(MapNames.ConntrackTcp)), BpfMap.OpenPinned(pins.Map(MapNames.ConntrackAny)),
            new ConntrackLoad(BpfMap.OpenPinned(pins.Map(MapNames.ConntrackLoad))), new BpfReaper(_reap!), options.ConntrackTimeouts,
            time));
        Stats = new ServiceStats(OpenMap(pins, MapNames.Stat));
        StaleSockets = Own(new StaleSockets(_finder, Features.SocketDestroy));
        Services.Reached = StaleSockets.Reached;
        Counters = new DropCounters(OpenMap(pins, MapNames.Cpu));
        _events = Features.RingBuffer ? OpenMap(pins, MapNames.Events) : null;
        Routes = new RouteTable(Own(new KernelRoutes()));
        _counters =
        [
            .. Counter<AffinityKey, Affinity>(pins, MapNames.Affinity, time),
            .. Counter<StatKey, Stat>(pins, MapNames.Stat, time),
            .. Counter<SockRevKey, SockRev>(pins, MapNames.SockRev, time),
            .. Counter<SockRevKey, SockFlow>(pins, MapNames.SockFlow, time),
        ];
    }

    /// <summary>Where it fails, the grace period does.</summary>
    private static bool TryWait(BpfGracePeriod readers)
    {
        try
        {
            readers.Wait();
            return true;
        }
        catch (KernelException)
        {
            return false;
        }
    }

    public KernelFeatures Features { get; }

    public ServiceDataplane Services { get; private set; }

    /// <summary>What destinations are.</summary>
    public IpcacheTable Ipcache { get; private set; }

    public EndpointTable Endpoints { get; private set; }

    public PodPrograms Pods { get; private set; }

    public UplinkPrograms Uplinks { get; private set; } 

    /// <summary>The node's globals that all programs read.</summary>
    internal NodeGlobals Globals { get; private set; }

    /// <summary>This node's end of the tunnels to other nodes.</summary>
    public NodeOverlay Overlay { get; private set; }

    /// <summary>With <see cref="SocketLbMode.Off"/> for a corner only; null where even that is not possible.</summary>
    public SocketPrograms? Sockets { get; private set; }

    /// <summary>Connections that tc translates.</summary>
    public ConntrackTable Conntrack { get; private set; }

    /// <summary>Sockets that are connected to backends which are gone.</summary>
    public StaleSockets StaleSockets { get; private set; }

    public ServiceStats Stats { get; private set; }

    /// <summary>Of the network namespace in which this object was opened.</summary>
    public RouteTable Routes { get; private set; }

    public DropCounters Counters { get; private set; }

    /// <summary>Pods whose programs were replaced, and pins that were stale.</summary>
    public AdoptionReport Adoption { get; private set; }

    /// <summary>What the operator should know, a sentence each: options that do not take effect, damage found.</summary>
    public ImmutableArray<string> Notices => [.. _notices.Distinct()];

    /// <summary>Loads, adopts, attaches; reads the service tables and changes nothing in them.</summary>
    /// <exception cref="DataplaneException">Something the operator can act on.</exception>
    /// <exception cref="BpfLoadException">The verifier refuses a program.</exception>
    /// <exception cref="Kernel.KernelException">The kernel refuses (EPERM without privilege).</exception>
    public static NodeDataplane Open(DataplaneOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new NodeDataplane(options, time ?? TimeProvider.System);
    }

    /// <summary>
    /// Starts reading drop records; null where the kernel has no ring buffers. One reader at a time; dispose it before this object.
    /// </summary>
    /// <param name="capacity">Records that may wait for the reader.</param>
    public EventReader? OpenEvents(int capacity = 4096) => _events is null ? null : new EventReader(_events, capacity);

    /// <summary>How full the tables are: those that refuse when full, and those that forget what is longest unused.</summary>
    public ImmutableArray<TableUsage> Usage()
    {
        var (frontends, backends, sourceRanges) = Services.Usage();
        var conntrack = Conntrack.Usage();
        return [frontends, backends, sourceRanges, Endpoints.Usage(), Ipcache.Usage(), conntrack.Tcp, conntrack.Any,
            .. _counters.Select(count => count())];
    }

    public void Dispose()
    {
        DisposeAll(_owned);
        DisposeAll(_installed);
    }

    private static void DisposeAll(List<IDisposable> resources)
    {
        for (var i = resources.Count - 1; i >= 0; i--)
            resources[i].Dispose();
        resources.Clear();
    }

    private Config ConfigFor(DataplaneOptions options, bool wholeLo) => new(
        (Features.RedirectPeer ? ConfigFlags.RedirectPeer : 0)
        | (Features.SetRetval ? ConfigFlags.SetRetval : 0)
        | (options.DropEvents && Features.RingBuffer ? ConfigFlags.DropEvents : 0)
        | ConfigFlags.TcServices
        | (options.SocketLb == SocketLbMode.HostOnly ? ConfigFlags.HostOnly : 0)
        | (Features.CoarseClock ? ConfigFlags.CoarseClock : 0)
        | (options.SocketLb != SocketLbMode.Off ? ConfigFlags.SocketLb : ConfigFlags.LoopbackOnly)
        | (wholeLo ? ConfigFlags.WholeLo : 0)
        | (options.Masquerade ? ConfigFlags.Masquerade : 0)
        | (options.KeepExternalSource ? ConfigFlags.KeepSource : 0)
        | (options.Chained ? ConfigFlags.Chained : 0)
        | (options.BindGuard ? ConfigFlags.BindGuard : 0),
        options.SnatPortMin, options.SnatPortMax, NetworkNamespace.CurrentCookie(), options.ConntrackTimeouts, options.RefusalRate,
        options.DropRecordRate,
        0, 0, // what the tables have is known when the maps are: ProgramLoader
        U16Be.FromHost(options.TunnelPort));

    /// <summary>
    /// After a start with socket hooks, connections that the node made to itself without them are still translated packet by packet on lo,
    /// as long as there are any.
    /// </summary>
    private bool KeepsHostTranslation(PinLayout pins, DataplaneOptions options, TimeProvider time)
    {
        if (!BpfMap.TryOpenPinned(pins.Map(MapNames.ConntrackTcp), out var tcp))
            return false;
        if (!BpfMap.TryOpenPinned(pins.Map(MapNames.ConntrackAny), out var any))
        {
            tcp.Dispose();
            return false;
        }
        using var conntrack = new ConntrackTable(tcp, any, null, new NoReaper(), options.ConntrackTimeouts, time);
        using var netlink = RouteNetlink.Open();
        if (!conntrack.HasServiceOnLoopback(netlink.Addresses().Select(a => Addr.From(a.Address)).ToHashSet()))
            return false;
        _notices.Add(
            "connections of this node to its own Services from socket-lb off are still open and stay translated per packet; " +
            "an agent start after they end leaves other loopback packets untouched");
        return true;
    }

    /// <summary>None where the table is not there: no program uses it.</summary>
    private ImmutableArray<Func<TableUsage>> Counter<TKey, TValue>(PinLayout pins, string name, TimeProvider time)
        where TKey : unmanaged where TValue : unmanaged =>
        TryOpenMap(pins, name) is { } map ? [new EntryCounter<TKey, TValue>(name, map, time).Usage] : [];

    private BpfMap? TryOpenMap(PinLayout pins, string name) => BpfMap.TryOpenPinned(pins.Map(name), out var map) ? Own(map) : null;

    private BpfMap OpenMap(PinLayout pins, string name) => Own(BpfMap.OpenPinned(pins.Map(name)));

    private T Installed<T>(T programs) where T : IDisposable
    {
        _installed.Add(programs);
        return programs;
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }
}
