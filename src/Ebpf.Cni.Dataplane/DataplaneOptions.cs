using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane;

/// <summary>Where sockets are translated.</summary>
public enum SocketLbMode
{
    /// <summary>Socket hooks of the cgroup root: once per connection.</summary>
    Full,

    /// <summary>Socket hooks for the node's own sockets; pods' packets are translated by tc (service meshes, sandboxed runtimes).</summary>
    HostOnly,

    /// <summary>Only tc translates, per packet, for pods and the node itself.</summary>
    Off,
}

/// <summary>What the dataplane of a node is made of.</summary>
public sealed record DataplaneOptions
{
    /// <summary>A directory below a mounted bpffs, one per node: pins are its maps/ and links/.</summary>
    public required string BpffsRoot { get; init; }

    /// <summary>Where socket.bpf.o and pod.bpf.o are.</summary>
    public required string ObjectDirectory { get; init; }

    /// <summary>The cgroup v2 directory whose sockets are translated.</summary>
    public required string CgroupRoot { get; init; }

    public SocketLbMode SocketLb { get; init; } = SocketLbMode.Full;

    /// <summary>Pods leave the cluster with the node's address.</summary>
    public bool Masquerade { get; init; } = true;

    /// <summary>What arrives over an uplink keeps its source even under the Cluster policy.</summary>
    public bool KeepExternalSource { get; init; }

    /// <summary>The node's own sockets may not bind a NodePort.</summary>
    public bool BindGuard { get; init; } = true;

    /// <summary>Of tracked connections.</summary>
    public CtTimeouts ConntrackTimeouts { get; init; } = CtTimeouts.Default;

    /// <summary>Report drops through the ring buffer.</summary>
    public bool DropEvents { get; init; } = true;

    /// <summary>Frontends.</summary>
    public uint ServiceTableSize { get; init; } = 524288;

    /// <summary>Backends of all frontends together (frontends of a service port share theirs), with room for change.</summary>
    public uint BackendTableSize { get; init; } = 1048576;

    /// <summary>Connections that tc translates, two entries each; and sockets in the reverse table of the socket hooks.</summary>
    public uint ConntrackTableSize { get; init; } = 262144;

    /// <summary>Addresses of pods on this node.</summary>
    public uint EndpointTableSize { get; init; } = 4096;

    /// <summary>How long the space of a released segment stays untouched: much longer than any program runs.</summary>
    public TimeSpan SegmentRest { get; init; } = TimeSpan.FromSeconds(10);
}
