namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>One thing a kernel may lack.</summary>
/// <param name="Name">Short and stable: "tcx".</param>
/// <param name="AbsenceCosts">A sentence: what happens where it is absent.</param>
public sealed record KernelFeature(string Name, bool Present, string AbsenceCosts);

/// <summary>What this kernel can do, found by trying it, never by its version.</summary>
public sealed record KernelFeatures(
    bool Tcx, bool RedirectPeer, bool SetRetval, bool BatchOps, bool RingBuffer, bool MappableArrays, bool NetnsCookie, bool CgroupLinks,
    bool SocketDestroy, bool CoarseClock)
{
    /// <summary>The same in words, for logs and reports.</summary>
    public IReadOnlyList<KernelFeature> Findings =>
    [
        new("tcx", Tcx, "programs are attached as clsact filters; another tool that deletes the qdisc removes them."),
        new("redirect_peer", RedirectPeer, "packets to a local pod pass a backlog queue on the way in, which costs some latency."),
        new("set_retval", SetRetval, "a connection to a Service without endpoints fails with EPERM instead of ECONNREFUSED."),
        new("batch", BatchOps, "tables are read and written with a system call per element; large changes take longer."),
        new("ring buffer", RingBuffer, "no event stream: drops are counted but not reported one by one."),
        new("mappable arrays", MappableArrays, "backends cannot be written through memory; the dataplane does not start."),
        new("netns cookie", NetnsCookie, "session affinity at sockets does not distinguish pods."),
        new("cgroup links", CgroupLinks, "socket programs cannot be attached; Services are translated per packet instead."),
        new("socket destroy", SocketDestroy,
            "connected UDP sockets of a removed backend are not destroyed (CONFIG_INET_DIAG_DESTROY, CONFIG_INET_UDP_DIAG): " +
            "they send to no listener until closed."),
        new("coarse clock", CoarseClock, "each packet of a translated connection reads the exact clock, which costs some nanoseconds."),
    ];

    /// <summary>Tries everything; takes milliseconds and leaves nothing behind.</summary>
    /// <exception cref="KernelException">EPERM: without privilege nothing can be found out.</exception>
    public static KernelFeatures Probe() => new(
        FeatureProbe.Tcx(),
        FeatureProbe.RedirectPeer(),
        FeatureProbe.SetRetval(),
        FeatureProbe.BatchOps(),
        FeatureProbe.RingBuffer(),
        FeatureProbe.MappableArrays(),
        FeatureProbe.NetnsCookie(),
        FeatureProbe.CgroupLinks(),
        FeatureProbe.SocketDestroy(),
        FeatureProbe.CoarseClock());
}
