using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Sockets;
using Ebpf.Cni.Dataplane.Tables;
using Ebpf.Cni.Dataplane.Uplinks;
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
/// Dying at any instruction of <see cref="Open"/> is harmless: maps are pinned (backends before frontends, all empty) before a program that uses them is
/// attached; a link is pinned after it is attached, and without a pin it dies with the agent; programs are replaced in place, each by one that uses the same
/// maps (or grown copies of the same content), so any mixture of old and new programs works. One agent at a time may use a bpffs root: the caller sees to that.
/// </remarks>
public sealed class NodeDataplane : IDisposable
{
    private readonly List<IDisposable> _owned = [];
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
            using var maps = new MapLoader(pins, options, _notices);
            maps.Tidy();
            var hostServices = options.SocketLb == SocketLbMode.Off || KeepsHostTranslation(pins, options, time);
            var loader = new ProgramLoader(options, maps, ConfigFor(options, hostServices));
            BpfProgram reap;
            using (var pod = loader.Load(ProgramLoader.Pod))
                Pods = Own(new PodPrograms(pins, pod, Features.Tcx));
            using (var uplink = loader.Load(ProgramLoader.Uplink))
            {
                Uplinks = Own(new UplinkPrograms(pins, uplink, OpenMap(pins, MapNames.Uplink), Features.Tcx, hostServices));
                reap = Own(uplink.GetProgram("ebc_ct_reap"));
            }
            using (var overlay = loader.Load(ProgramLoader.Overlay))
                Overlay = Own(new NodeOverlay(new OverlayPrograms(pins, overlay, Features.Tcx), OpenMap(pins, MapNames.Overlay)));
            using (var socket = loader.Load(ProgramLoader.Socket))
            {
                Sockets = Own(new SocketPrograms(pins, socket));
                StaleSockets = Own(new StaleSockets(socket.GetProgram(SocketPrograms.Finder), Features.SocketDestroy));
            }

            // tc first: it translates what no socket hook has, so either order of modes has no gap.
            Adoption = Pods.Adopt();
            Uplinks.Adopt();
            Overlay.Programs.Adopt();
            if (options.SocketLb == SocketLbMode.Off)
                SocketPrograms.Detach(pins);
            else
                Sockets.Attach(options.CgroupRoot, options.BindGuard);
            maps.Commit();
            OpenTables(pins, options, time, reap);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    [MemberNotNull(nameof(Services), nameof(Endpoints), nameof(Counters), nameof(Routes), nameof(Ipcache), nameof(Conntrack), nameof(Stats))]
    private void OpenTables(PinLayout pins, DataplaneOptions options, TimeProvider time, BpfProgram reap)
    {
        var backends = Own(OpenMap(pins, MapNames.Backend).MapWindows<Backend>());
        Services = new ServiceDataplane(
            new ServiceTables(
                new KernelTable<SvcKey, Svc>(OpenMap(pins, MapNames.Service)),
                new KernelBackendArray(backends),
                new KernelTable<SrangeKey, Srange>(OpenMap(pins, MapNames.SourceRange))),
            options.SegmentRest, time);
        Endpoints = new EndpointTable(OpenMap(pins, MapNames.Endpoint), OpenMap(pins, MapNames.Netns));
        Ipcache = new IpcacheTable(new KernelTable<IpcacheKey, Ipcache>(OpenMap(pins, MapNames.Ipcache)));
        Conntrack = new ConntrackTable(OpenMap(pins, MapNames.Conntrack), new BpfReaper(reap), options.ConntrackTimeouts, time);
        Stats = new ServiceStats(OpenMap(pins, MapNames.Stat));
        Services.Reached = StaleSockets.Reached;
        Counters = new DropCounters(OpenMap(pins, MapNames.Metric));
        _events = Features.RingBuffer ? OpenMap(pins, MapNames.Events) : null;
        Routes = new RouteTable(Own(new KernelRoutes()));
        _counters =
        [
            new EntryCounter<AffinityKey, Affinity>(MapNames.Affinity, OpenMap(pins, MapNames.Affinity), time).Usage,
            new EntryCounter<StatKey, Stat>(MapNames.Stat, OpenMap(pins, MapNames.Stat), time).Usage,
            new EntryCounter<SockRevKey, SockRev>(MapNames.SockRev, OpenMap(pins, MapNames.SockRev), time).Usage,
            new EntryCounter<SockRevKey, SockFlow>(MapNames.SockFlow, OpenMap(pins, MapNames.SockFlow), time).Usage,
        ];
    }

    public KernelFeatures Features { get; }

    public ServiceDataplane Services { get; private set; }

    /// <summary>What destinations are.</summary>
    public IpcacheTable Ipcache { get; private set; }

    public EndpointTable Endpoints { get; private set; }

    public PodPrograms Pods { get; }

    public UplinkPrograms Uplinks { get; } 

    /// <summary>This node's end of the tunnels to other nodes.</summary>
    public NodeOverlay Overlay { get; }

    public SocketPrograms Sockets { get; }

    /// <summary>Connections that tc translates.</summary>
    public ConntrackTable Conntrack { get; private set; }

    /// <summary>Sockets that are connected to backends which are gone.</summary>
    public StaleSockets StaleSockets { get; }

    public ServiceStats Stats { get; private set; }

    /// <summary>Of the network namespace in which this object was opened.</summary>
    public RouteTable Routes { get; private set; }

    public DropCounters Counters { get; private set; }

    /// <summary>Pods whose programs were replaced, and pins that were stale.</summary>
    public AdoptionReport Adoption { get; }

    /// <summary>What the operator should know, a sentence each: options that do not take effect, damage found.</summary>
    public ImmutableArray<string> Notices => [.. _notices];

    /// <summary>Loads, adopts, attaches; reads the service tables and changes nothing in them.</summary>
    /// <exception cref="DataplaneException">Something the operator can act on.</exception>
    /// <exception cref="BpfLoadException">The verifier refuses a program.</exception>
    /// <exception cref="Kernel.KernelException">The kernel refuses (EPERM without privilege).</exception>
    public static NodeDataplane Open(DataplaneOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new NodeDataplane(options, time ?? TimeProvider.System);
    }

    /// <summary>Starts reading drop records; null where the kernel has no ring buffers. One reader at a time; dispose it before this object.</summary>
    /// <param name="capacity">Records that may wait for the reader.</param>
    public EventReader? OpenEvents(int capacity = 4096) => _events is null ? null : new EventReader(_events, capacity);

    /// <summary>How full the tables are: those that refuse when full, and those that forget what is longest unused.</summary>
    public ImmutableArray<TableUsage> Usage()
    {
        var (frontends, backends, sourceRanges) = Services.Usage();
        return [frontends, backends, sourceRanges, Endpoints.Usage(), Ipcache.Usage(), Conntrack.Usage(), .. _counters.Select(count => count())];
    }

    public void Dispose()
    {
        for (var i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    private Config ConfigFor(DataplaneOptions options, bool hostServices) => new(
        (Features.RedirectPeer ? ConfigFlags.RedirectPeer : 0)
        | (Features.SetRetval ? ConfigFlags.SetRetval : 0)
        | (options.DropEvents && Features.RingBuffer ? ConfigFlags.DropEvents : 0)
        | ConfigFlags.TcServices
        | (options.SocketLb == SocketLbMode.HostOnly ? ConfigFlags.HostOnly : 0)
        | (options.SocketLb != SocketLbMode.Off ? ConfigFlags.SocketLb : 0)
        | (hostServices ? ConfigFlags.HostServices : 0)
        | (options.Masquerade ? ConfigFlags.Masquerade : 0)
        | (options.KeepExternalSource ? ConfigFlags.KeepSource : 0)
        | (options.Chained ? ConfigFlags.Chained : 0)
        | (options.BindGuard ? ConfigFlags.BindGuard : 0),
        options.SnatPortMin, options.SnatPortMax, NetworkNamespace.CurrentCookie(), options.ConntrackTimeouts);

    /// <summary>
    /// After a start with socket hooks, connections that the node made without them are still translated packet by packet: the programs that do so stay as long as there are any.
    /// </summary>
    private bool KeepsHostTranslation(PinLayout pins, DataplaneOptions options, TimeProvider time)
    {
        if (!UplinkPrograms.WasOnLoopback(pins, Features.Tcx) || !BpfMap.TryOpenPinned(pins.Map(MapNames.Conntrack), out var map))
            return false;
        using var conntrack = new ConntrackTable(map, new NoReaper(), options.ConntrackTimeouts, time);
        using var netlink = RouteNetlink.Open();
        if (!conntrack.HasServiceClient(netlink.Addresses().Select(a => Addr.From(a.Address)).ToHashSet()))
            return false;
        _notices.Add(
            "connections that this node made to Services under --socket-lb off are still open and are translated packet by packet until they end; " +
            "a start after that takes the program off the loopback device");
        return true;
    }

    private BpfMap OpenMap(PinLayout pins, string name) => Own(BpfMap.OpenPinned(pins.Map(name)));

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }
}
