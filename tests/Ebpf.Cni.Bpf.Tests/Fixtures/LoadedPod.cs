using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// pod.bpf.o, uplink.bpf.o and overlay.bpf.o in the kernel, with tables of their own that no pin keeps. They live as long as the test
/// process.
/// </summary>
internal sealed class LoadedPod
{
    private readonly BpfMap _fragments, _held, _affinity, _return, _load;

    /// <param name="conntrack">Entries of each connection table.</param>
    public LoadedPod(Config config, uint conntrack = 65536)
    {
        config = config with { CtTcpSize = conntrack, CtAnySize = conntrack };
        using var pod = BpfObject.Open(Repository.BpfObject("pod"));
        pod.SetReadOnlyGlobal(MapNames.Config, config);
        pod.SetMaxEntries(MapNames.ConntrackTcp, conntrack);
        pod.SetMaxEntries(MapNames.ConntrackAny, conntrack);
        pod.SetMaxEntries(MapNames.Backend, 65536);
        pod.Load();
        Egress = pod.GetProgram("ebc_pod_egress");
        Ingress = pod.GetProgram("ebc_pod_ingress");
        Cpu = pod.GetMap(MapNames.Cpu);
        Services = pod.GetMap(MapNames.Service);
        Backends = pod.GetMap(MapNames.Backend);
        Conntrack = new ConntrackMaps(pod.GetMap(MapNames.ConntrackTcp), pod.GetMap(MapNames.ConntrackAny));
        Endpoints = pod.GetMap(MapNames.Endpoint);
        Events = pod.GetMap(MapNames.Events);
        Ipcache = pod.GetMap(MapNames.Ipcache);
        Uplinks = pod.GetMap(MapNames.Uplink);
        SourceRanges = pod.GetMap(MapNames.SourceRange);
        _fragments = pod.GetMap(MapNames.Fragment);
        _held = pod.GetMap(MapNames.Held);
        _affinity = pod.GetMap(MapNames.Affinity);
        _return = pod.GetMap(MapNames.Return);
        _load = pod.GetMap(MapNames.ConntrackLoad);
        Globals = new NodeGlobals(pod.GetMap(MapNames.Node));
        Globals.Doubt();
        using var uplink = Load("uplink", config, pod);
        UplinkIngress = uplink.GetProgram("ebc_uplink_ingress");
        HostEgress = uplink.GetProgram("ebc_host_egress");
        using var overlay = Load("overlay", config, pod);
        OverlayIngress = overlay.GetProgram("ebc_overlay_ingress");
        OverlayEgress = overlay.GetProgram("ebc_overlay_egress");
    }

    private static BpfObject Load(string name, Config config, BpfObject pod)
    {
        var loaded = BpfObject.Open(Repository.BpfObject(name));
        loaded.SetReadOnlyGlobal(MapNames.Config, config);
        foreach (var map in loaded.Maps.Where(m => m.Name.StartsWith("ebc_", StringComparison.Ordinal)))
        {
            using var shared = pod.GetMap(map.Name);
            loaded.SetMaxEntries(map.Name, shared.Info.MaxEntries);
            loaded.ReuseMap(map.Name, shared);
        }
        loaded.Load();
        return loaded;
    }

    public BpfProgram Egress { get; }
    public BpfProgram Ingress { get; }
    public BpfProgram UplinkIngress { get; }
    public BpfProgram HostEgress { get; }
    public BpfProgram OverlayIngress { get; }
    public BpfProgram OverlayEgress { get; }
    public BpfMap Cpu { get; }
    public BpfMap Services { get; }
    public BpfMap Backends { get; }
    public ConntrackMaps Conntrack { get; }
    public BpfMap Endpoints { get; }
    public BpfMap Events { get; }
    public BpfMap Ipcache { get; }
    public BpfMap Uplinks { get; }
    public BpfMap SourceRanges { get; }
    public NodeGlobals Globals { get; }

    /// <summary>As just loaded, but for the backends, which no frontend reaches any more.</summary>
    public void Empty()
    {
        Empty<SvcKey, Svc>(Services);
        foreach (var (key, _) in Conntrack.ReadAll())
            Conntrack.Delete(key);
        _load.Update(0u, default(CtLoad));
        Empty<EpKey, Ep>(Endpoints);
        Empty<FragKey, Frag>(_fragments);
        Empty<HeldKey, Held>(_held);
        Empty<AffinityKey, Affinity>(_affinity);
        Empty<CtKey, WayBack>(_return);
        Empty<IpcacheKey, Ipcache>(Ipcache);
        Empty<UplinkKey, Uplink>(Uplinks);
        Empty<SrangeKey, Srange>(SourceRanges);
        Globals.SetOverlay(default);
        Globals.SetOwn(null, null);
        Globals.Doubt();
        Cpu.UpdatePerCpu<uint, Cpu>(0u, new Cpu[BpfMap.PossibleCpus]);
    }

    private static void Empty<TKey, TValue>(BpfMap map) where TKey : unmanaged where TValue : unmanaged
    {
        foreach (var (key, _) in map.ReadAll<TKey, TValue>())
            map.Delete(key);
    }
}
