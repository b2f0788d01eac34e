using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Protocol.Cni;
using static Ebpf.Cni.Agent.Options.OptionValues;

namespace Ebpf.Cni.Agent.Options;

/// <summary>
/// Every option of the agent: the one list behind the command line, the environment, the file, the help and the defaults.
/// </summary>
public static class OptionTable
{
    public static IReadOnlyList<OptionDefinition> All { get; } =
    [
        new("node-name", "NAME", "", "This node's name in the API. Required.", (o, v) => o with { NodeName = v }) { ChartValue = "" },
        new("kubeconfig", "FILE", "", "Credentials for the API server; without it, the pod's service account.",
            (o, v) => o with { Kubeconfig = v }) { ChartValue = "" },
        new("bpffs-root", "DIR", "/sys/fs/bpf/ebpf-cni",
            "Directory for the pins of maps and links, on a bpffs; one per node.",
            (o, v) => o with { BpffsRoot = v }) { ChartValue = "" },
        new("cgroup-root", "DIR|auto", AgentOptions.Auto,
            "The cgroup v2 directory whose sockets are translated. auto: the mount point of the whole hierarchy (beside v1's on "
            + "hybrid machines).",
            (o, v) => o with { CgroupRoot = v }) { ChartValue = "" },
        new("sysctl-root", "DIR", "/proc/sys/net",
            "Directory of the settings below /proc/sys/net. In a container /proc/sys is read-only, and the node's is mounted elsewhere.",
            (o, v) => o with { SysctlRoot = v }) { ChartValue = "" },
        new("bpf-objects", "DIR", Beside("bpf"),
            "Directory of socket.bpf.o, pod.bpf.o, uplink.bpf.o and overlay.bpf.o.",
            (o, v) => o with { BpfObjects = v }) { ChartValue = "" },
        new("state-dir", "DIR", "/var/lib/ebpf-cni", "Endpoints and address allocations; must survive restarts.",
            (o, v) => o with { StateDir = v }) { ChartValue = "hostPaths.state" },
        new("run-dir", "DIR", AgentSocket.UsualDirectory, "Directory of the sockets for the plugin and for ecni.",
            (o, v) => o with { RunDir = v }) { ChartValue = "hostPaths.run" },
        new("cni-conf-dir", "DIR", "/etc/cni/net.d",
            "The container runtime's directory of network configurations.",
            (o, v) => o with { CniConfDir = v }) { ChartValue = "hostPaths.cniConf" },
        new("cni-bin-dir", "DIR", "/opt/cni/bin", "The container runtime's directory of plugins.", (o, v) => o with { CniBinDir = v })
            { ChartValue = "hostPaths.cniBin" },
        new("cni-plugin", "FILE", Beside("ebpf-cni"), "The plugin to install there.", (o, v) => o with { CniPlugin = v })
            { ChartValue = "" },
        new("metrics-address", "ADDRESS:PORT", "127.0.0.1:10249", "Address and port of /metrics.",
            (o, v) => o with { MetricsAddress = EndPoint(v) }),
        new("healthz-address", "ADDRESS:PORT", "0.0.0.0:10256", "Address and port of /healthz, /livez and /readyz.",
            (o, v) => o with { HealthzAddress = EndPoint(v) }),
        new("socket-lb", "full|hostOnly|off", "full",
            "Translation of Services at the socket. full: for all processes. hostOnly: for the node's own processes; pods' packets "
            + "are translated one by one. off: all packets are translated one by one.",
            (o, v) => o with { SocketLb = OneOf<SocketLbMode>(v) }),
        new("nodeport-addresses", "primary|CIDR,...", "primary",
            "Addresses that serve NodePorts: the node's InternalIP of each family (primary), or its own addresses in these ranges.",
            (o, v) => o with { NodePortAddresses = v == "primary" ? [] : Networks(v) }),
        new("localhost-nodeports", "true|false", "true", "Serve NodePorts on 127.0.0.1 too, for the node itself.",
            (o, v) => o with { LocalhostNodePorts = Boolean(v) }),
        new("external-ips", "true|false", "true",
            "Serve spec.externalIPs of Services. A writer of Services can take over any address by them (CVE-2020-8554).",
            (o, v) => o with { ExternalIPs = Boolean(v) }),
        new("external-source", "masquerade|keep", "masquerade",
            "Source address that pods see for outside traffic under the Cluster policy: the node's (masquerade, as kube-proxy) or the "
            + "client's (keep; nodes must share a layer 2).",
            (o, v) => o with { ExternalSource = OneOf<ExternalSource>(v) }),
        new("cni-mode", "full|chained", "full",
            "full: pods' interfaces and addresses, and Services. chained: Services only, behind another CNI plugin.",
            (o, v) => o with { CniMode = OneOf<CniMode>(v) }) { ChartValue = "profile" },
        new("masquerade", "true|false", "true",
            "Give pods' traffic to destinations outside the cluster the node's address.",
            (o, v) => o with { Masquerade = Boolean(v) }),
        new("masquerade-exempt", "CIDR,...", "", "Destinations outside the cluster that pods reach with their own addresses.",
            (o, v) => o with { MasqueradeExempt = Networks(v) }),
        new("bind-guard", "true|false", "true",
            "Refuse NodePorts as local ports to the node's own processes: such a socket would never receive a packet.",
            (o, v) => o with { BindGuard = Boolean(v) }),
        new("pod-attachment", "auto|tcx|clsact", AgentOptions.Auto,
            "Attachment of programs to new pods' interfaces. clsact: filters, several times as quick when many pods start at once. "
            + "tcx: links (Linux 6.6), which leave qdiscs to other plugins; each pod waits four times some 10 ms under the kernel's "
            + "lock of all network configuration. auto: links where another plugin has the interface too (--cni-mode chained, or a "
            + "plugin behind ours in a configuration of --cni-conf-dir), else filters.",
            (o, v) => o with { PodAttachment = OneOf<PodAttachment>(v) }),
        new("uplinks", "auto|NAME,...", AgentOptions.Auto,
            "Devices that connect the node to networks; * stands for any characters. auto: devices of the default routes and of the "
            + "node's InternalIPs, and devices that lead to other networks.",
            (o, v) => o with { Uplinks = v == AgentOptions.Auto ? [] : DevicePatterns(v) }),
        new("routing", "auto|tunnel|direct|none", "auto",
            "Paths to other nodes' pods. auto: routes through nodes on the same layer 2, a VXLAN tunnel to the rest. tunnel: always "
            + "the tunnel. direct: routes only. none: another component's task. Equal on all nodes.",
            (o, v) => o with { Routing = OneOf<RoutingMode>(v) }),
        new("tunnel-underlay", "auto|ipv4|ipv6", AgentOptions.Auto,
            "Address family between the ends of a tunnel. auto: the family that comes first in status.addresses. Equal on all nodes.",
            (o, v) => o with { TunnelUnderlay = OneOf<TunnelUnderlay>(v) }),
        new("tunnel-port", "PORT", "8472", "UDP port of the tunnel. Equal on all nodes.",
            (o, v) => o with { TunnelPort = (ushort)Number(v, 1, 65535) }),
        new("tunnel-vni", "N", "1", "VXLAN network identifier of the tunnel. Equal on all nodes.",
            (o, v) => o with { TunnelVni = (uint)Number(v, 1, 0xffffff) }),
        new("cleanup-kube-proxy", "true|false", "false",
            "Remove kube-proxy's nftables tables, iptables chains and kube-ipvs0 once this agent serves; nft and iptables must be on PATH.",
            (o, v) => o with { CleanupKubeProxy = Boolean(v) }) { ChartValue = "" },
        new("log-format", "human|json", "human", "Format of log lines.", (o, v) => o with { LogFormat = OneOf<LogFormat>(v) }),
        new("log-level", "LEVEL", "information", "trace, debug, information, warning, error or critical.",
            (o, v) => o with { LogLevel = OneOf<LogLevel>(v) }),
        new("service-table-size", "N", ByMemory,
            "Maximum of service addresses and ports. 0: by the node's memory.",
            (o, v) => o with { ServiceTableSize = Size(v) }),
        new("backend-table-size", "N", ByMemory,
            "Maximum of backends of all Services together, with room for changes. 0: by the node's memory.",
            (o, v) => o with { BackendTableSize = Size(v) }),
        new("conntrack-tcp-max", "N", ByMemory,
            "Maximum of tracked TCP connections: masqueraded, from outside, or translated per packet. Beyond it, the LRU evicts the "
            + "connection idle longest. 0: by the node's memory.",
            (o, v) => o with { ConntrackTcpMax = Connections(v) }),
        new("conntrack-other-max", "N", ByMemory,
            "Maximum of tracked flows of all other protocols: UDP flows, SCTP associations, ICMP queries. 0: by the node's memory.",
            (o, v) => o with { ConntrackOtherMax = Connections(v) }),
        new("socket-flows-max", "N", ByMemory,
            "Maximum of flows in the tables of the socket hooks. Beyond it, the LRU evicts the flow idle longest. 0: by the node's memory.",
            (o, v) => o with { SocketFlowsMax = Size(v) }),
        new("endpoint-table-size", "N", ByMemory,
            "Maximum of pod addresses on this node. 0: by the node's memory.",
            (o, v) => o with { EndpointTableSize = Size(v) }),
        new("affinity-table-size", "N", ByMemory,
            "Maximum of clients with session affinity. Beyond it, the LRU evicts the client idle longest. 0: by the node's memory.",
            (o, v) => o with { AffinityTableSize = Size(v) }),
        new("source-range-table-size", "N", ByMemory,
            "Maximum of loadBalancerSourceRanges of all service ports together. 0: by the node's memory.",
            (o, v) => o with { SourceRangeTableSize = Size(v) }),
        new("stat-table-size", "N", ByMemory,
            "Maximum of counted backends of service ports. Beyond it, the backend idle longest is counted from 0 again. 0: by the "
            + "node's memory.",
            (o, v) => o with { StatTableSize = Size(v) }),
        new("ipcache-table-size", "N", ByMemory,
            "Maximum of pod ranges, node addresses and ranges exempt from masquerading. 0: 65536.",
            (o, v) => o with { IpcacheTableSize = Size(v) }),
        new("refusal-rate", "N", "1000",
            "Limit of ICMP refusals and errors that the programs send, per second and CPU. Beyond it, packets are dropped without an "
            + "answer. 0: none is sent.",
            (o, v) => o with { RefusalRate = Rate(v) }),
        new("drop-record-rate", "N", "1000",
            "Limit of drop records from the programs to the agent, per second and CPU. Counters include every drop. 0: no records.",
            (o, v) => o with { DropRecordRate = Rate(v) }),
        new("conntrack-tcp-established", "SECONDS", "86400", "Idle timeout of an established TCP connection.",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { Established = Lifetime(v) } }),
        new("conntrack-tcp-close-wait", "SECONDS", "3600", "Idle timeout in CLOSE_WAIT (one FIN seen).",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { CloseWait = Lifetime(v) } }),
        new("conntrack-tcp-time-wait", "SECONDS", "120", "Idle timeout in TIME_WAIT (both FINs seen).",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { TimeWait = Lifetime(v) } }),
        new("conntrack-udp", "SECONDS", "30", "Idle timeout of a UDP flow without an answer.",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { Udp = Lifetime(v) } }),
        new("conntrack-udp-stream", "SECONDS", "120", "Idle timeout of an answered UDP flow.",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { UdpStream = Lifetime(v) } }),
        new("conntrack-sctp-established", "SECONDS", "210", "Idle timeout of an SCTP association.",
            (o, v) => o with { ConntrackTimeouts = o.ConntrackTimeouts with { SctpEstablished = Lifetime(v) } }),
        new("conntrack-sweep-period", "SECONDS", "30",
            "Interval of the conntrack garbage collection, which removes finished connections and counts living ones.",
            (o, v) => o with { ConntrackSweepPeriod = Seconds(v, 1, 3600) }),
        new("service-metrics", "N", "500",
            "Maximum of Services, and of backends, with counters of their own in /metrics: the most used. The rest is summed as "
            + "\"other\". 0: none is counted.",
            (o, v) => o with { ServiceMetrics = Number(v, 0, 100_000) }),
        new("mtu", "BYTES", "0",
            "MTU of pods. 0: the uplinks' MTU, less the tunnel's headers unless --routing is direct or none.",
            (o, v) => o with { Mtu = Number(v, 0, 65535) }),
        new("ip-reuse-delay", "SECONDS", "60", "How long a released pod address stays unused.",
            (o, v) => o with { IpReuseDelay = Seconds(v, 0, 86400) }) { FormerName = "address-rest" },
        new("cni-parallel", "N", "16", "Maximum of CNI requests in progress.", (o, v) => o with { CniParallel = Number(v, 1, 256) }),
        new("min-sync-period", "MILLISECONDS", "50",
            "Minimum time from the end of one apply to the next; changes in between are one apply. A change after quiet, and a pod "
            + "that waits for its hostPorts, are applied at once. 0: none.",
            (o, v) => o with { MinSyncPeriod = TimeSpan.FromMilliseconds(Number(v, 0, 10_000)) }),
        new("verify-period", "SECONDS", "600",
            "Interval of verification: the kernel's tables are read back and compared.",
            (o, v) => o with { VerifyPeriod = Seconds(v, 1, 86400) }),
        new("healthz-timeout", "SECONDS", "60",
            "Longest wait of a change, and longest apply or verification, before /healthz and /livez fail.",
            (o, v) => o with { HealthzTimeout = Seconds(v, 1, 3600) }),
        new("drop-log", "true|false", "true", "Log dropped packets, at most a few lines a second.",
            (o, v) => o with { DropLog = Boolean(v) }),
    ];

    /// <summary>See <see cref="TableSizes"/>.</summary>
    private const string ByMemory = "0";

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);
}
