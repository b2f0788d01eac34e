using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary>IP protocol numbers that a service port may have.</summary>
public enum IpProtocol : byte
{
    Icmp = 1,
    Tcp = 6,
    Udp = 17,
    IcmpV6 = 58,
    Sctp = 132,
}

/// <summary><c>enum ebc_scope</c>.</summary>
public enum Scope : byte
{
    /// <summary>A pod or the node itself asks.</summary>
    Internal = 0,

    /// <summary>It arrived over an uplink; a frontend without such an entry is served by its internal one.</summary>
    External = 1,

    /// <summary>No traffic: {::, port, proto} is there if the port is a NodePort, for the bind hook.</summary>
    Bind = 2,
}

/// <summary><c>enum ebc_svc_flags</c>.</summary>
[Flags]
public enum SvcFlags : uint
{
    None = 0,

    /// <summary>No backend means silent drop (there are some, none usable here), not refusal.</summary>
    DropEmpty = 1 << 0,

    /// <summary>Only for clients in the source ranges; others are dropped in silence.</summary>
    SourceRanges = 1 << 1,

    /// <summary>What arrives over an uplink keeps its source (externalTrafficPolicy Local, hostPort).</summary>
    KeepSource = 1 << 2,

    /// <summary>The entry of an address, not of a port ({address, 0, 0}): refused.</summary>
    Address = 1 << 3,

    /// <summary>A server of the node listens on this very address and port: left to it.</summary>
    NodeServer = 1 << 4,
}

/// <summary><c>enum ebc_backend_flags</c>.</summary>
[Flags]
public enum BackendFlags : ushort
{
    None = 0,

    /// <summary>On this node.</summary>
    Local = 1 << 0,
}

/// <summary><c>struct ebc_svc_key</c>: one frontend.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SvcKey(Addr Addr, U16Be Port, IpProtocol Proto, Scope Scope) : IComparable<SvcKey>
{
    /// <summary>By address, port, protocol, scope.</summary>
    public int CompareTo(SvcKey other)
    {
        var c = Addr.CompareTo(other.Addr);
        if (c != 0) return c;
        c = Port.Host.CompareTo(other.Port.Host);
        if (c != 0) return c;
        c = Proto.CompareTo(other.Proto);
        return c != 0 ? c : Scope.CompareTo(other.Scope);
    }

    public static bool operator <(SvcKey a, SvcKey b) => a.CompareTo(b) < 0;
    public static bool operator >(SvcKey a, SvcKey b) => a.CompareTo(b) > 0;
    public static bool operator <=(SvcKey a, SvcKey b) => a.CompareTo(b) <= 0;
    public static bool operator >=(SvcKey a, SvcKey b) => a.CompareTo(b) >= 0;

    public override string ToString() =>
        Addr.IsIPv4 ? $"{Addr}:{Port}/{Proto}/{Scope}" : $"[{Addr}]:{Port}/{Proto}/{Scope}";
}

/// <summary>
/// <c>struct ebc_svc</c>: where a frontend's backends are: <paramref name="Count"/> that new connections go to, and behind them
/// <paramref name="Tail"/>
/// that serve but are not chosen; each run sorted by address and port.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Svc(uint Offset, uint Count, uint ServiceId, SvcFlags Flags, uint AffinitySec, uint Tail = 0);

/// <summary><c>struct ebc_backend</c>: an element of a segment.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Backend(Addr Addr, U16Be Port, BackendFlags Flags, uint ServiceId);

/// <summary><c>enum ebc_flow_flags</c>.</summary>
[Flags]
public enum FlowFlags : uint
{
    None = 0,

    /// <summary>No backend at the socket: these datagrams are left to tc.</summary>
    Packets = 1 << 0,
}

/// <summary><c>struct ebc_sk</c>: the frontend that a socket asked for and the backend that it was led to.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Sk
{
    public Addr Front { get; init; }
    public Addr Backend { get; init; }
    public U16Be FrontPort { get; init; }

    /// <summary>The backend's.</summary>
    public U16Be Port { get; init; }
    public uint ServiceId { get; init; }
    public uint BackendIndex { get; init; }
    public FlowFlags Flags { get; init; }

    /// <summary>The socket's own.</summary>
    public ulong Cookie { get; init; }

    /// <summary>CLOCK_MONOTONIC, exact to a second; not kept while the socket is connected.</summary>
    public ulong LastUsedNs { get; init; }
}

/// <summary><c>struct ebc_sk_put</c>: elements of the datagram sockets' tables that a socket has made.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SkPut(Addr Front, Addr Backend, U16Be FrontPort, U16Be Port);

/// <summary><c>struct ebc_sk_puts</c>: what to delete when a datagram socket is closed.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SkPuts(
    uint Count, SkPut Put0, SkPut Put1, SkPut Put2, SkPut Put3, SkPut Put4, SkPut Put5, SkPut Put6, SkPut Put7);

/// <summary><c>struct ebc_sock_rev_key</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SockRevKey(ulong Cookie, Addr Addr, U16Be Port)
{
    private readonly ushort _pad0 = 0;
    private readonly uint _pad1 = 0;
}

/// <summary><c>struct ebc_sock_rev</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SockRev
{
    public Addr Addr { get; init; }
    public U16Be Port { get; init; }
    private readonly ushort _pad0;
    public uint ServiceId { get; init; }
}

/// <summary>
/// <c>struct ebc_sock_flow</c>: the backend that an unconnected datagram socket goes to, for frontends besides the one in its
/// <see cref="Sk"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SockFlow
{
    public Addr Addr { get; init; }
    public U16Be Port { get; init; }
    private readonly ushort _pad0;
    public uint ServiceId { get; init; }
    public uint BackendIndex { get; init; }
    public FlowFlags Flags { get; init; }

    /// <summary>CLOCK_MONOTONIC, exact to a second.</summary>
    public ulong LastUsedNs { get; init; }
}

/// <summary><c>struct ebc_affinity_key</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct AffinityKey(Addr Client, uint ServiceId)
{
    private readonly uint _pad0 = 0;
}

/// <summary><c>struct ebc_affinity</c>: the backend that a client goes to.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Affinity
{
    public Addr Addr { get; init; }
    public U16Be Port { get; init; }
    private readonly ushort _pad0;
    private readonly uint _pad1;

    /// <summary>CLOCK_MONOTONIC.</summary>
    public ulong LastUsedNs { get; init; }
}

/// <summary><c>struct ebc_srange_key</c>: a prefix of clients that may use a service.</summary>
/// <param name="Prefixlen">32 + 96 + n for an IPv4 prefix of n bits, 32 + n for IPv6.</param>
/// <param name="ServiceId">In network order only so that it is a prefix, bit by bit.</param>
/// <param name="Addr">The prefix's address, all other bits 0.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SrangeKey(uint Prefixlen, U32Be ServiceId, Addr Addr);

/// <summary><c>struct ebc_srange</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Srange(uint Allow);

/// <summary><c>struct ebc_stat_key</c>: a backend of a service port.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct StatKey(Addr Addr, uint ServiceId, U16Be Port)
{
    private readonly ushort _pad0 = 0;
}

/// <summary><c>struct ebc_stat</c>: connections are counted when they begin, packets and bytes when they end.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Stat(ulong Connections, ulong PacketsTo, ulong BytesTo, ulong PacketsFrom, ulong BytesFrom);
