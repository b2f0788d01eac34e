using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Options;

/// <summary>Where sockets are translated.</summary>
public enum SocketLbMode
{
    /// <summary>Socket hooks of the cgroup root: once per connection.</summary>
    Full,

    /// <summary>Socket hooks for the node's own sockets; pods' packets are translated by tc (service meshes, sandboxed runtimes).</summary>
    HostOnly,

    /// <summary>
    /// Only tc translates, per packet, for pods and the node itself. But for the node's sockets that are bound to an address of the node
    /// and ask a loopback address: kubelet's firewall drops their packets before they get to tc.
    /// </summary>
    Off,
}

/// <summary>What the dataplane of a node is made of.</summary>
public sealed record DataplaneOptions
{
    /// <summary>A directory below a mounted bpffs, one per node: pins are its maps/ and links/.</summary>
    public required string BpffsRoot { get; init; }

    /// <summary>Where the BPF objects are.</summary>
    public required string ObjectDirectory { get; init; }

    /// <summary>The cgroup v2 directory whose sockets are translated.</summary>
    public required string CgroupRoot { get; init; }

    public SocketLbMode SocketLb { get; init; } = SocketLbMode.Full;

    /// <summary>
    /// Pods' interfaces are another plugin's: nothing is checked, and nothing is touched but what is for a service or answers it.
    /// </summary>
    public bool Chained { get; init; }

    /// <summary>Pods leave the cluster with the node's address.</summary>
    public bool Masquerade { get; init; } = true;

    /// <summary>What arrives over an uplink keeps its source even under the Cluster policy.</summary>
    public bool KeepExternalSource { get; init; }

    /// <summary>The node's own sockets may not bind a NodePort.</summary>
    public bool BindGuard { get; init; } = true;

    /// <summary>Of tracked connections.</summary>
    public CtTimeouts ConntrackTimeouts { get; init; } = CtTimeouts.Default;

    /// <summary>Source ports for masquerading, both included; the client's own is tried first.</summary>
    public ushort SnatPortMin { get; init; } = 32768;

    public ushort SnatPortMax { get; init; } = 65535;

    /// <summary>Report drops through the ring buffer.</summary>
    public bool DropEvents { get; init; } = true;

    /// <summary>ICMP errors and resets that the programs send, per second and CPU; 0: none.</summary>
    public uint RefusalRate { get; init; } = 1000;

    /// <summary>Drop records per second and CPU; 0: none.</summary>
    public uint DropRecordRate { get; init; } = 1000;

    /// <summary>UDP port of the cluster's tunnels, to which pods may not send; 0: there are none.</summary>
    public ushort TunnelPort { get; init; }

    /// <summary>Frontends.</summary>
    public uint ServiceTableSize { get; init; } = 524288;

    /// <summary>Backends of all frontends together (frontends of a service port share theirs), with room for change.</summary>
    public uint BackendTableSize { get; init; } = 1048576;

    /// <summary>TCP connections that tc tracks; a connection has two entries.</summary>
    public uint ConntrackTcpMax { get; init; } = 131072;

    /// <summary>The same for all other protocols together.</summary>
    public uint ConntrackOtherMax { get; init; } = 65536;

    /// <summary>Flows of sockets that the socket hooks keep in tables.</summary>
    public uint SocketFlowsMax { get; init; } = 65536;

    /// <summary>Addresses of pods on this node.</summary>
    public uint EndpointTableSize { get; init; } = 4096;

    /// <summary>Prefixes of loadBalancerSourceRanges, over all service ports.</summary>
    public uint SourceRangeTableSize { get; init; } = 65536;

    /// <summary>Clients of services with session affinity; the one longest unused is forgotten when it is full.</summary>
    public uint AffinityTableSize { get; init; } = 65536;

    /// <summary>Backends of service ports that are counted; the ones longest unused are forgotten when it is full.</summary>
    public uint StatTableSize { get; init; } = 65536;

    /// <summary>Prefixes of pods, nodes and exempt destinations.</summary>
    public uint IpcacheTableSize { get; init; } = 65536;

    /// <summary>
    /// How long the space of a released segment stays untouched if it is not needed sooner: much longer than any program runs.
    /// </summary>
    public TimeSpan SegmentRest { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The same with these sizes.</summary>
    public DataplaneOptions With(TableSizes sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return this with
        {
            ServiceTableSize = sizes.Services,
            BackendTableSize = sizes.Backends,
            ConntrackTcpMax = sizes.ConntrackTcp,
            ConntrackOtherMax = sizes.ConntrackOther,
            SocketFlowsMax = sizes.SocketFlows,
            EndpointTableSize = sizes.Endpoints,
            AffinityTableSize = sizes.Affinity,
            SourceRangeTableSize = sizes.SourceRanges,
            StatTableSize = sizes.Stats,
            IpcacheTableSize = sizes.Ipcache,
        };
    }
}
