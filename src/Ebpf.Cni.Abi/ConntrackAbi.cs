using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_ct_dir</c>.</summary>
public enum CtDir : byte
{
    Forward = 0,
    Reply = 1,
}

/// <summary><c>enum ebc_ct_flags</c>.</summary>
[Flags]
public enum CtFlags : ushort
{
    None = 0,
    SeenReply = 1 << 0,
    FinForward = 1 << 1,
    FinReply = 1 << 2,
    Rst = 1 << 3,

    /// <summary>The backend is the client itself: its source is hidden behind the gateway's address.</summary>
    Hairpin = 1 << 4,

    /// <summary>TCP: the client spoke again after the reply.</summary>
    Established = 1 << 5,
}

/// <summary><c>struct ebc_ct_key</c>: a packet's tuple as it arrives, before translation.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct CtKey(Addr Src, Addr Dst, U16Be Sport, U16Be Dport, IpProtocol Proto, CtDir Dir)
{
    private readonly ushort _pad0 = 0;
}

/// <summary><c>struct ebc_ct</c>. Times are CLOCK_MONOTONIC nanoseconds, exact to a second.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Ct(
    Addr XlateAddr, U16Be XlatePort, CtFlags Flags, uint ServiceId, ulong CreatedNs, ulong LastSeenNs, ulong Packets, ulong Bytes,
    uint BackendIndex)
{
    private readonly uint _pad0 = 0;
}

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
public readonly record struct Frag(U16Be Sport, U16Be Dport);
