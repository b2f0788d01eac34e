using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>nlmsg_type: control messages, and rtnetlink's.</summary>
internal enum MessageType : ushort
{
    Error = 2,
    Done = 3,
    Overrun = 4,
    NewLink = 16,
    DeleteLink = 17,
    GetLink = 18,
    NewAddress = 20,
    DeleteAddress = 21,
    GetAddress = 22,
    NewRoute = 24,
    DeleteRoute = 25,
    GetRoute = 26,
    NewNeighbour = 28,
    DeleteNeighbour = 29,
    GetNeighbour = 30,
    NewQdisc = 36,
    DeleteQueue = 37,
    GetQdisc = 38,
    NewFilter = 44,
    DeleteFilter = 45,
    GetFilter = 46,
    NewSettings = 80,
    NewNextHop = 104,
    DeleteNextHop = 105,
    GetNextHop = 106,
}

/// <summary>nlmsg_flags of requests. Bits from 0x100 mean one thing in requests to make, another in requests to get.</summary>
[Flags]
internal enum MessageFlags : ushort
{
    None = 0,
    Request = 0x1,
    Acknowledge = 0x4,

    /// <summary>Making: replace what exists. In an event: it was in the place of another.</summary>
    Replace = 0x100,

    /// <summary>Making: fail if it exists.</summary>
    Exclusive = 0x200,

    /// <summary>Making: only then may it be new.</summary>
    Create = 0x400,

    /// <summary>Getting: all there are.</summary>
    Dump = Replace | Exclusive,
}

/// <summary>nlmsg_flags of answers.</summary>
[Flags]
internal enum AnswerFlags : ushort
{
    None = 0,

    /// <summary>The table changed while it was dumped.</summary>
    DumpInterrupted = 0x10,

    /// <summary>An acknowledgement repeats only the request's header.</summary>
    Capped = 0x100,

    /// <summary>Attributes follow a verdict.</summary>
    HasAttributes = 0x200,
}

[StructLayout(LayoutKind.Sequential)]
internal struct MessageHeader
{
    public uint Length;
    public MessageType Type;

    /// <summary><see cref="MessageFlags"/> or <see cref="AnswerFlags"/>.</summary>
    public ushort Flags;
    public uint Sequence;
    public uint Port;
}

/// <summary>struct ifinfomsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinkHeader
{
    public const uint FlagUp = 1, FlagRunning = 0x40, FlagNoArp = 0x80, FlagMulticast = 0x1000;

    /// <summary>A <see cref="Change"/> of all flags: that of a message about a new interface.</summary>
    public const uint EverythingChanged = uint.MaxValue;
    public const ushort TypeEthernet = 1;

    public byte Family;
    public byte Pad;
    public ushort DeviceType;
    public int Ifindex;
    public uint Flags;
    public uint Change;
}

/// <summary>struct ifaddrmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AddressHeader
{
    public byte Family;
    public byte PrefixLength;
    public byte Flags;
    public byte Scope;
    public int Ifindex;
}

/// <summary>struct rtmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RouteHeader
{
    public const uint FlagOnLink = 4, FlagCloned = 0x200;

    public byte Family;
    public byte DestinationLength;
    public byte SourceLength;
    public byte TypeOfService;
    public byte Table;
    public byte Protocol;
    public byte Scope;
    public byte Type;
    public uint Flags;
}

/// <summary>struct netconfmsg, padded to where its attributes begin</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SettingsHeader
{
    public byte Family;
    public byte Pad1;
    public ushort Pad2;
}

/// <summary>struct rtnexthop, before the attributes of one of a route's next hops</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NextHopEntry
{
    public ushort Length;
    public byte Flags;
    public byte Hops;
    public int Ifindex;
}

/// <summary>struct nhmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NextHopHeader
{
    public byte Family;
    public byte Scope;
    public byte Protocol;
    public byte Pad;
    public uint Flags;
}

/// <summary>struct nexthop_grp</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NextHopMember
{
    public uint Id;
    public byte Weight;
    public byte WeightHigh;
    public ushort Pad;
}

/// <summary>struct ndmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NeighbourHeader
{
    public byte Family;
    public byte Pad1;
    public ushort Pad2;
    public int Ifindex;
    public ushort State;
    public byte Flags;
    public byte Type;
}

/// <summary>struct tcmsg</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QdiscHeader
{
    public byte Family;
    public byte Pad1;
    public ushort Pad2;
    public int Ifindex;
    public uint Handle;
    public uint Parent;
    public uint Info;
}

/// <summary>struct tc_ratespec. Rates are bytes a second.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RateSpecification
{
    /// <summary>TC_LINKLAYER_ETHERNET: the kernel computes times itself and wants no table of them.</summary>
    public const byte Ethernet = 1;

    public byte CellLog;
    public byte LinkLayer;
    public ushort Overhead;
    public short CellAlign;
    public ushort Mpu;
    public uint Rate;
}

/// <summary>struct tc_tbf_qopt</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TokenBucketHeader
{
    public RateSpecification Rate;
    public RateSpecification PeakRate;
    public uint Limit;
    public uint Buffer;
    public uint Mtu;
}
