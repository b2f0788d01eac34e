using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Sockets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;

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
    private readonly BpfMap? _events;
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
            var loader = new ProgramLoader(options, maps, new Config(FlagsFor(options)));
            using (var pod = loader.Load(ProgramLoader.Pod))
                Pods = Own(new PodPrograms(pins, pod, Features.Tcx));
            using (var socket = loader.Load(ProgramLoader.Socket))
                Sockets = Own(new SocketPrograms(pins, socket));

            // tc first: it translates what no socket hook has, so either order of modes has no gap.
            Adoption = Pods.Adopt();
            if (options.SocketLb == SocketLbMode.Full)
                Sockets.Attach(options.CgroupRoot);
            else
                SocketPrograms.Detach(pins);
            maps.Commit();

            var backends = Own(OpenMap(pins, MapNames.Backend).MapWindows<Backend>());
            Services = new ServiceDataplane(
                new KernelFrontendTable(OpenMap(pins, MapNames.Service)), new KernelBackendArray(backends), options.SegmentRest, time);
            Endpoints = new EndpointTable(OpenMap(pins, MapNames.Endpoint));
            Counters = new DropCounters(OpenMap(pins, MapNames.Metric));
            _events = Features.RingBuffer ? OpenMap(pins, MapNames.Events) : null;
            Routes = new RouteTable(Own(new KernelRoutes()));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public KernelFeatures Features { get; }

    public ServiceDataplane Services { get; }

    public EndpointTable Endpoints { get; }

    public PodPrograms Pods { get; }

    public SocketPrograms Sockets { get; }

    /// <summary>Of the network namespace in which this object was opened.</summary>
    public RouteTable Routes { get; }

    public DropCounters Counters { get; }

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

    /// <summary>How full the tables are that refuse when full.</summary>
    public ImmutableArray<TableUsage> Usage()
    {
        var (frontends, backends) = Services.Usage();
        return [frontends, backends, Endpoints.Usage()];
    }

    public void Dispose()
    {
        for (var i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    private ConfigFlags FlagsFor(DataplaneOptions options) =>
        (Features.RedirectPeer ? ConfigFlags.RedirectPeer : 0)
        | (Features.SetRetval ? ConfigFlags.SetRetval : 0)
        | (options.DropEvents && Features.RingBuffer ? ConfigFlags.DropEvents : 0)
        | ConfigFlags.TcServices;

    private BpfMap OpenMap(PinLayout pins, string name) => Own(BpfMap.OpenPinned(pins.Map(name)));

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }
}
