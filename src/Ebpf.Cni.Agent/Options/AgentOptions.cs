using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Agent.Options;

/// <summary>How log lines look.</summary>
public enum LogFormat
{
    /// <summary>For people: time, level, message.</summary>
    Human,

    /// <summary>One JSON object a line (compact log event format).</summary>
    Json,
}

/// <summary>What pods see as the source of traffic from outside the cluster, where the Cluster policy leaves the choice.</summary>
public enum ExternalSource
{
    /// <summary>The node's address.</summary>
    Masquerade,

    /// <summary>The client's.</summary>
    Keep,
}

/// <summary>What is ours of a pod's network.</summary>
public enum CniMode
{
    /// <summary>All of it.</summary>
    Full,

    /// <summary>Services alone: another CNI plugin makes interfaces, addresses, routes and rules.</summary>
    Chained,
}

/// <summary>The agent's options, read once; <see cref="OptionTable"/> says where each value comes from and what it means.</summary>
public sealed record AgentOptions
{
    /// <summary>Where an option has this value, the agent finds out.</summary>
    public const string Auto = "auto";

    public string NodeName { get; init; } = "";

    /// <summary>"" means the pod's own service account.</summary>
    public string Kubeconfig { get; init; } = "";

    public string BpffsRoot { get; init; } = "";
    public string CgroupRoot { get; init; } = "";
    /// <summary>/proc/sys/net, or where a container has it.</summary>
    public string SysctlRoot { get; init; } = SysctlTree.Usual;

    public string BpfObjects { get; init; } = "";
    public string StateDir { get; init; } = "";
    public string RunDir { get; init; } = "";
    public string CniConfDir { get; init; } = "";
    public string CniBinDir { get; init; } = "";
    public string CniPlugin { get; init; } = "";
    public IPEndPoint MetricsAddress { get; init; } = new(IPAddress.Loopback, 0);
    public IPEndPoint HealthzAddress { get; init; } = new(IPAddress.Loopback, 0);
    public SocketLbMode SocketLb { get; init; }

    public PodAttachment PodAttachment { get; init; }

    /// <summary>Empty: the primary ones.</summary>
    public ImmutableArray<IPNetwork> NodePortAddresses { get; init; } = [];

    public bool LocalhostNodePorts { get; init; }
    public bool ExternalIPs { get; init; }
    public ExternalSource ExternalSource { get; init; }
    public CniMode CniMode { get; init; }
    public bool Masquerade { get; init; }
    public ImmutableArray<IPNetwork> MasqueradeExempt { get; init; } = [];
    public bool BindGuard { get; init; }

    /// <summary>Patterns of names; empty: the agent finds out.</summary>
    public ImmutableArray<string> Uplinks { get; init; } = [];

    public RoutingMode Routing { get; init; }
    public TunnelUnderlay TunnelUnderlay { get; init; }

    /// <summary>UDP.</summary>
    public ushort TunnelPort { get; init; }

    public uint TunnelVni { get; init; }

    public bool CleanupKubeProxy { get; init; }
    public LogFormat LogFormat { get; init; }
    public LogLevel LogLevel { get; init; }

    /// <summary>0, as in all sizes of tables below: what <see cref="TableSizes"/> has for the node's memory.</summary>
    public uint ServiceTableSize { get; init; }

    public uint BackendTableSize { get; init; }
    public uint ConntrackTcpMax { get; init; }
    public uint ConntrackOtherMax { get; init; }
    public uint SocketFlowsMax { get; init; }
    public uint EndpointTableSize { get; init; }
    public uint AffinityTableSize { get; init; }
    public uint SourceRangeTableSize { get; init; }
    public uint StatTableSize { get; init; }
    public uint IpcacheTableSize { get; init; }

    /// <summary>A second and CPU; 0: none. So is the other.</summary>
    public uint RefusalRate { get; init; }

    public uint DropRecordRate { get; init; }

    public CtTimeouts ConntrackTimeouts { get; init; } = CtTimeouts.Default;
    public TimeSpan ConntrackSweepPeriod { get; init; }

    /// <summary>Most services, and backends, with counters of their own.</summary>
    public int ServiceMetrics { get; init; }

    /// <summary>0: what fits through the uplink, with the tunnel's headers unless there are no tunnels.</summary>
    public int Mtu { get; init; }

    public TimeSpan IpReuseDelay { get; init; }
    public int CniParallel { get; init; }
    /// <summary>From the end of an apply to the next; zero: none.</summary>
    public TimeSpan MinSyncPeriod { get; init; }

    public TimeSpan VerifyPeriod { get; init; }
    public TimeSpan HealthzTimeout { get; init; }
    public bool DropLog { get; init; }

    /// <summary>What leaves the cluster is the other plugin's affair in chained mode.</summary>
    public bool MasqueradesPods => Masquerade && CniMode == CniMode.Full;

    /// <summary>So are routes to other nodes.</summary>
    public RoutingMode EffectiveRouting => CniMode == CniMode.Full ? Routing : RoutingMode.None;

    /// <summary>The unix socket on which the plugin finds the agent.</summary>
    public string CniSocket => Path.Combine(RunDir, AgentSocket.FileName);

    public PluginPaths PluginPaths => new(CniConfDir, CniBinDir, CniPlugin, CniSocket);

    /// <summary>What the sync loop is to know of it.</summary>
    public SyncOptions Sync => new(NodeName)
    {
        Chained = CniMode == CniMode.Chained,
        StateDir = StateDir,
        SysctlRoot = SysctlRoot,
        NodePortAddresses = NodePortAddresses,
        LocalhostNodePorts = LocalhostNodePorts,
        ExternalIPs = ExternalIPs,
        MasqueradeExempt = MasqueradeExempt,
        Uplinks = Uplinks,
        Routing = EffectiveRouting,
        TunnelUnderlay = TunnelUnderlay,
        TunnelPort = TunnelPort,
        TunnelVni = TunnelVni,
        Mtu = Mtu,
        MinSyncPeriod = MinSyncPeriod,
        VerifyPeriod = VerifyPeriod,
        ConntrackSweepPeriod = ConntrackSweepPeriod,
    };

    /// <summary>The unix socket on which ecni finds it.</summary>
    public string ObserveSocket => Path.Combine(RunDir, ObservePaths.SocketName);
}
