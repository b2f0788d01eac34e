using Ebpf.Cni.Dataplane;
using static Ebpf.Cni.Agent.Options.OptionValues;

namespace Ebpf.Cni.Agent.Options;

/// <summary>Every option of the agent: the one list behind the command line, the environment, the file, the help and the defaults.</summary>
public static class OptionTable
{
    public static IReadOnlyList<OptionDefinition> All { get; } =
    [
        new("node-name", "NAME", "", "This node's name in the API. Required.", (o, v) => o with { NodeName = v }),
        new("kubeconfig", "FILE", "", "Credentials for the API server; without it, the pod's service account.",
            (o, v) => o with { Kubeconfig = v }),
        new("bpffs-root", "DIR", "/sys/fs/bpf/ebpf-cni", "Where maps and links are pinned: a directory on a bpffs, one per node.",
            (o, v) => o with { BpffsRoot = v }),
        new("cgroup-root", "DIR", "/sys/fs/cgroup", "The cgroup v2 directory whose sockets are translated.",
            (o, v) => o with { CgroupRoot = v }),
        new("bpf-objects", "DIR", Beside("bpf"), "Where socket.bpf.o and pod.bpf.o are.", (o, v) => o with { BpfObjects = v }),
        new("state-dir", "DIR", "/var/lib/ebpf-cni", "Endpoints and address allocations; must survive restarts.",
            (o, v) => o with { StateDir = v }),
        new("run-dir", "DIR", "/run/ebpf-cni", "Where the plugin's socket is.", (o, v) => o with { RunDir = v }),
        new("cni-conf-dir", "DIR", "/etc/cni/net.d", "Where the container runtime looks for network configurations.",
            (o, v) => o with { CniConfDir = v }),
        new("cni-bin-dir", "DIR", "/opt/cni/bin", "Where the container runtime looks for plugins.", (o, v) => o with { CniBinDir = v }),
        new("cni-plugin", "FILE", Beside("ebpf-cni"), "The plugin to install there.", (o, v) => o with { CniPlugin = v }),
        new("metrics-address", "ADDRESS:PORT", "127.0.0.1:10249", "Listens here for /metrics.",
            (o, v) => o with { MetricsAddress = EndPoint(v) }),
        new("healthz-address", "ADDRESS:PORT", "0.0.0.0:10256", "Listens here for /healthz, /livez and /readyz.",
            (o, v) => o with { HealthzAddress = EndPoint(v) }),
        new("socket-lb", "full|off", "full", "Translate services at the socket (full), or per packet at the pod's interface (off).",
            (o, v) => o with { SocketLb = OneOf<SocketLbMode>(v) }),
        new("log-format", "human|json", "human", "How log lines look.", (o, v) => o with { LogFormat = OneOf<LogFormat>(v) }),
        new("log-level", "LEVEL", "information", "trace, debug, information, warning, error or critical.",
            (o, v) => o with { LogLevel = OneOf<LogLevel>(v) }),
        new("service-table-size", "N", "524288", "Most service addresses and ports.", (o, v) => o with { ServiceTableSize = Size(v) }),
        new("backend-table-size", "N", "1048576", "Most backends of all services together, with room for change.",
            (o, v) => o with { BackendTableSize = Size(v) }),
        new("conntrack-table-size", "N", "262144", "Most translated connections; two entries each.",
            (o, v) => o with { ConntrackTableSize = Size(v) }),
        new("endpoint-table-size", "N", "4096", "Most pod addresses on this node.", (o, v) => o with { EndpointTableSize = Size(v) }),
        new("mtu", "BYTES", "0", "MTU of pods; 0 takes the uplink's.", (o, v) => o with { Mtu = Number(v, 0, 65535) }),
        new("address-rest", "SECONDS", "60", "How long a released pod address stays unused.",
            (o, v) => o with { AddressRest = Seconds(v, 0, 86400) }),
        new("cni-parallel", "N", "16", "Most CNI requests worked on at once.", (o, v) => o with { CniParallel = Number(v, 1, 256) }),
        new("verify-period", "SECONDS", "600", "How often the kernel's tables are read back and compared.",
            (o, v) => o with { VerifyPeriod = Seconds(v, 1, 86400) }),
        new("healthz-timeout", "SECONDS", "60", "A change not applied for longer makes /healthz and /livez fail.",
            (o, v) => o with { HealthzTimeout = Seconds(v, 1, 3600) }),
        new("drop-log", "true|false", "true", "Log dropped packets, a few lines a second at most.",
            (o, v) => o with { DropLog = Boolean(v) }),
    ];

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);
}
