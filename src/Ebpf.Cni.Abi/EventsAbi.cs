using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_hook</c>.</summary>
public enum Hook : byte
{
    PodEgress = 0,
    PodIngress = 1,
    Socket = 2,
    UplinkIngress = 3,
    HostEgress = 4,
    OverlayIngress = 5,
    OverlayEgress = 6,
}

/// <summary><c>enum ebc_reason</c>: what became of a packet or a socket call; from <see cref="SourceAddress"/> on, a drop.</summary>
public enum Reason : byte
{
    Forwarded = 0,
    Delivered = 1,
    Service = 2,
    Reply = 3,
    SourceAddress = 4,
    SourceMac = 5,
    Malformed = 6,
    NoBackend = 7,
    NoLocalBackend = 8,
    Fragment = 9,
    ConntrackFull = 10,
    Rewrite = 11,
    LinkLocal = 12,
    Protocol = 13,
    SourceRange = 14,
    Port = 15,
    SnatPorts = 16,
    Bind = 17,
    Loopback = 18,
    HopLimit = 19,
    TooBig = 20,
    NoTunnel = 21,
    TunnelPeer = 22,
    TunnelSource = 23,
    TunnelPort = 24,
    UplinkSource = 25,
    NoConnection = 26,
    Untracked = 27,
}

/// <summary><c>struct ebc_metric</c>: one CPU's share of a counter.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Metric(ulong Packets, ulong Bytes)
{
    public const int HookCount = 7;
    public const int ReasonCount = 28;
    public const Reason FirstDrop = Reason.SourceAddress;
}

/// <summary><c>struct ebc_event</c>: a record of the ring buffer.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Event(
    ulong TimeNs, Addr Src, Addr Dst, U16Be Sport, U16Be Dport, uint Ifindex, uint ServiceId, uint Len,
    IpProtocol Proto, Reason Reason, Hook Hook)
{
    private readonly byte _pad0 = 0;
    private readonly uint _pad1 = 0;
}
