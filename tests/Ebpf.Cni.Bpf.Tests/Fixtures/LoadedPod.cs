using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>pod.bpf.o in the kernel, with tables of its own that no pin keeps. It lives as long as the test process.</summary>
internal sealed class LoadedPod
{
    private readonly BpfMap _fragments;

    public LoadedPod(ConfigFlags flags)
    {
        using var pod = BpfObject.Open(Repository.BpfObject("pod"));
        pod.SetReadOnlyGlobal(MapNames.Config, new Config(flags));
        pod.SetMaxEntries(MapNames.Conntrack, 65536);
        pod.SetMaxEntries(MapNames.Backend, 65536);
        pod.Load();
        Egress = pod.GetProgram("ebc_pod_egress");
        Ingress = pod.GetProgram("ebc_pod_ingress");
        Metrics = pod.GetMap(MapNames.Metric);
        Services = pod.GetMap(MapNames.Service);
        Backends = pod.GetMap(MapNames.Backend);
        Conntrack = pod.GetMap(MapNames.Conntrack);
        Endpoints = pod.GetMap(MapNames.Endpoint);
        Events = pod.GetMap(MapNames.Events);
        _fragments = pod.GetMap(MapNames.Fragment);
    }

    public BpfProgram Egress { get; }
    public BpfProgram Ingress { get; }
    public BpfMap Metrics { get; }
    public BpfMap Services { get; }
    public BpfMap Backends { get; }
    public BpfMap Conntrack { get; }
    public BpfMap Endpoints { get; }
    public BpfMap Events { get; }

    /// <summary>As just loaded, but for the backends, which no frontend reaches any more.</summary>
    public void Empty()
    {
        Empty<SvcKey, Svc>(Services);
        Empty<CtKey, Ct>(Conntrack);
        Empty<EpKey, Ep>(Endpoints);
        Empty<FragKey, Frag>(_fragments);
        var zeros = new Metric[BpfMap.PossibleCpus];
        for (var i = 0u; i < Metrics.Info.MaxEntries; i++)
            Metrics.UpdatePerCpu<uint, Metric>(i, zeros);
    }

    private static void Empty<TKey, TValue>(BpfMap map) where TKey : unmanaged where TValue : unmanaged
    {
        foreach (var (key, _) in map.ReadAll<TKey, TValue>())
            map.Delete(key);
    }
}
