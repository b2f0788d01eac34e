namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>What translates a connection.</summary>
public enum Way
{
    /// <summary>A pod asks a cluster IP.</summary>
    Service,

    /// <summary>A pod leaves the cluster.</summary>
    Masquerade,

    /// <summary>A client outside the cluster asks a NodePort.</summary>
    NodePort,
}
