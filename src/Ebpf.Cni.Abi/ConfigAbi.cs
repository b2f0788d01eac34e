using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_config_flags</c>.</summary>
[Flags]
public enum ConfigFlags : uint
{
    None = 0,

    /// <summary>bpf_redirect_peer works (kernel 5.10).</summary>
    RedirectPeer = 1 << 0,

    /// <summary>bpf_set_retval works in socket hooks (5.18): ECONNREFUSED instead of EPERM.</summary>
    SetRetval = 1 << 1,

    /// <summary>Report drops through the ring buffer.</summary>
    DropEvents = 1 << 2,

    /// <summary>The tc programs translate services that met no socket hook.</summary>
    TcServices = 1 << 3,

    /// <summary>Socket hooks leave pods alone: only the node's own sockets.</summary>
    HostOnly = 1 << 4,

    /// <summary>Pods leave the cluster with the node's address.</summary>
    Masquerade = 1 << 5,

    /// <summary>What arrives over an uplink keeps its source even under the Cluster policy.</summary>
    KeepSource = 1 << 6,

    /// <summary>bpf_ktime_get_coarse_ns works (5.11).</summary>
    CoarseClock = 1 << 7,

    /// <summary>The node's sockets may not bind a NodePort.</summary>
    BindGuard = 1 << 8,

    /// <summary>Pods' interfaces are another plugin's: only what is for services is touched.</summary>
    Chained = 1 << 9,

    /// <summary>The table of TCP connections is being replaced by one of another size.</summary>
    ResizeTcp = 1 << 10,

    /// <summary>The table of all other flows is being replaced by one of another size.</summary>
    ResizeAny = 1 << 11,

    /// <summary>Socket hooks are on: for the node, and without <see cref="HostOnly"/> for pods.</summary>
    SocketLb = 1 << 12,

    /// <summary>Socket hooks leave all to tc but what the node asks a loopback address from an address that is none.</summary>
    LoopbackOnly = 1 << 13,

    /// <summary>All on lo is looked at though socket hooks are on: it has connections from before them.</summary>
    WholeLo = 1 << 14,
}

/// <summary><c>struct ebc_ct_timeouts</c>: seconds of idleness after which a conntrack entry is dead, by <see cref="CtState"/>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct CtTimeouts(
    uint SynSent, uint SynRecv, uint Established, uint FinWait, uint CloseWait, uint LastAck, uint TimeWait, uint Close, uint Udp,
    uint UdpStream,
    uint SctpOpening, uint SctpEstablished, uint SctpClosing, uint Icmp, uint Generic)
{
    /// <summary>
    /// nf_conntrack's (Documentation/networking/nf_conntrack-sysctl.rst), except for the two that kube-proxy raises: established 24 h,
    /// close wait 1 h (pkg/proxy/apis/config/v1alpha1/defaults.go).
    /// </summary>
    public static CtTimeouts Default { get; } = new(
        SynSent: 120, SynRecv: 60, Established: 86400, FinWait: 120, CloseWait: 3600, LastAck: 30, TimeWait: 120, Close: 10, Udp: 30,
        UdpStream: 120,
        SctpOpening: 10, SctpEstablished: 210, SctpClosing: 10, Icmp: 30, Generic: 600);
}

/// <summary><c>struct ebc_config</c>: the read-only global of every object, set before load.</summary>
/// <param name="Flags">What is on.</param>
/// <param name="SnatPortMin">Source ports for masquerading, both included; the client's own is tried first.</param>
/// <param name="SnatPortMax">The last of them.</param>
/// <param name="HostNetnsCookie">
/// SO_NETNS_COOKIE of the node's namespace; 0: the programs ask for the initial one (before Linux 5.14).
/// </param>
/// <param name="CtTimeouts">Of connections.</param>
/// <param name="RefusalRate">ICMP errors and resets per second and CPU; 0: none.</param>
/// <param name="RecordRate">Drop records per second and CPU; 0: none.</param>
/// <param name="CtTcpSize">Entries that fit into <see cref="MapNames.ConntrackTcp"/>.</param>
/// <param name="CtAnySize">The same of <see cref="MapNames.ConntrackAny"/>.</param>
/// <param name="TunnelPort">UDP port of the cluster's tunnels; 0: this node may have none.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Config(
    ConfigFlags Flags, ushort SnatPortMin, ushort SnatPortMax, ulong HostNetnsCookie, CtTimeouts CtTimeouts,
    uint RefusalRate, uint RecordRate, uint CtTcpSize, uint CtAnySize, U16Be TunnelPort)
{
    private readonly ushort _pad0 = 0;

    /// <summary>
    /// Ports 32768 to 65535, the default time-outs, rates that no test reaches by accident, tables that are never full, no tunnel.
    /// </summary>
    public Config(ConfigFlags flags) : this(
        flags, 32768, 65535, 0, CtTimeouts.Default, 1_000_000, 1_000_000, uint.MaxValue, uint.MaxValue, default)
    {
    }
}
