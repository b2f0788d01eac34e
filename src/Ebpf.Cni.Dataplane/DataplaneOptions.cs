namespace Ebpf.Cni.Dataplane;

/// <summary>Where sockets are translated.</summary>
public enum SocketLbMode
{
    /// <summary>Socket hooks of the cgroup root: once per connection.</summary>
    Full,

    /// <summary>Only tc translates, per packet.</summary>
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

    /// <summary>Report drops through the ring buffer.</summary>
    public bool DropEvents { get; init; } = true;

    /// <summary>Frontends.</summary>
    public uint ServiceTableSize { get; init; } = 131072;

    /// <summary>Backends of all frontends together (frontends of a service port share theirs), with room for change.</summary>
    public uint BackendTableSize { get; init; } = 1048576;

    /// <summary>Connections that tc translates, two entries each; and sockets in the reverse table of the socket hooks.</summary>
    public uint ConntrackTableSize { get; init; } = 262144;

    /// <summary>Addresses of pods on this node.</summary>
    public uint EndpointTableSize { get; init; } = 4096;

    /// <summary>How long the space of a released segment stays untouched: much longer than any program runs.</summary>
    public TimeSpan SegmentRest { get; init; } = TimeSpan.FromSeconds(10);
}
