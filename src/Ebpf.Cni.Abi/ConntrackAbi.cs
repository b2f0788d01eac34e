using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_ct_flags</c>.</summary>
[Flags]
public enum CtFlags : ushort
{
    None = 0,

    /// <summary>The entry of the answers.</summary>
    Reply = 1 << 0,

    /// <summary>An answer was seen.</summary>
    SeenReply = 1 << 1,

    /// <summary>The destination was a frontend; else at most the source is hidden.</summary>
    Service = 1 << 2,

    /// <summary>The client's source (or its port) is replaced.</summary>
    Masquerade = 1 << 3,

    FinForward = 1 << 4,
    FinReply = 1 << 5,

    /// <summary>The host's stack brought it to the pod, and gets its answers.</summary>
    Stack = 1 << 6,
}

/// <summary><c>enum ebc_ct_state</c>: the states of nf_conntrack that have a time-out of their own.</summary>
public enum CtState : byte
{
    SynSent = 0,
    SynRecv = 1,
    Established = 2,
    FinWait = 3,
    CloseWait = 4,
    LastAck = 5,
    TimeWait = 6,
    Close = 7,
    Udp = 8,
    UdpStream = 9,
    SctpOpening = 10,
    SctpEstablished = 11,
    SctpClosing = 12,
    Icmp = 13,
    Generic = 14,
}

/// <summary><c>struct ebc_ct_key</c>: a packet as it arrives, before translation.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct CtKey(Addr Src, Addr Dst, U16Be Sport, U16Be Dport, IpProtocol Proto)
{
    private readonly Pad3 _pad0 = default;
}

/// <summary>
/// <c>struct ebc_ct</c>: the packet after translation, and the connection's life. Times are CLOCK_MONOTONIC nanoseconds, exact to a second.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Ct
{
    public Addr Src { get; init; }
    public Addr Dst { get; init; }
    public U16Be Sport { get; init; }
    public U16Be Dport { get; init; }
    public CtFlags Flags { get; init; }
    public CtState State { get; init; }
    private readonly byte _pad0;

    /// <summary>0: no service.</summary>
    public uint ServiceId { get; init; }

    /// <summary>The backend's position in the service's segment when last seen.</summary>
    public uint BackendIndex { get; init; }

    /// <summary>The connection's identity: two entries belong together if it is the same.</summary>
    public ulong CreatedNs { get; init; }
    public ulong LastSeenNs { get; init; }

    /// <summary>Of the entry's own direction, as are <see cref="Bytes"/>.</summary>
    public ulong Packets { get; init; }

    public ulong Bytes { get; init; }

    /// <summary><see cref="Node.Epoch"/> when the frontends were last asked about this connection.</summary>
    public uint Epoch { get; init; }

    private readonly uint _pad1;
}

/// <summary>
/// <c>struct ebc_ct_load</c>: entries of the two connection tables, about; what programs insert they add, the agent writes what it has
/// counted.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct CtLoad(uint Tcp, uint Any);

/// <summary><c>struct ebc_way_back</c>: the neighbour and the device by which a client outside of the cluster asked a pod.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct WayBack(uint Ifindex, MacAddr PeerMac, MacAddr OwnMac);

/// <summary><c>struct ebc_frag_key</c>: the fragments of one datagram.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct FragKey(Addr Src, Addr Dst, U32Be Id, IpProtocol Proto)
{
    private readonly Pad3 _pad0 = default;
}

/// <summary>Three bytes of padding that are part of a key.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Pad3
{
    private readonly byte _b0, _b1, _b2;
}

/// <summary><c>struct ebc_frag</c>: the ports that only a datagram's first fragment carries.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Frag(U16Be Sport, U16Be Dport)
{
    /// <summary>0: it has none, as an ICMP message that is no query.</summary>
    public byte Ports { get; init; }

    private readonly Pad3 _pad0 = default;

    /// <summary>When it was seen, CLOCK_MONOTONIC.</summary>
    public ulong TimeNs { get; init; }
}

/// <summary><c>struct ebc_held_key</c>: later fragments that wait for the first one of their datagram.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct HeldKey(FragKey Of, uint Ifindex, uint Slot);

/// <summary>A frame, and what another one left behind it.</summary>
[InlineArray(MaxLength)]
public struct HeldFrame
{
    public const int MaxLength = 2048;
    private byte _byte;
}

/// <summary><c>struct ebc_held</c>: a fragment that waits.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly struct Held
{
    /// <summary>When it arrived, CLOCK_MONOTONIC.</summary>
    public readonly ulong TimeNs;
    public readonly uint Len;
    private readonly uint _pad0;
    private readonly HeldFrame _frame;
}
