using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>struct ebc_ep_key</c>: an address of a pod on this node.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct EpKey(Addr Addr);

/// <summary><c>enum ebc_ep_flags</c>.</summary>
[Flags]
public enum EpFlags : uint
{
    None = 0,

    /// <summary>Delivered through the queue of the veth's host side, which limits the rate, and not past it.</summary>
    Queued = 1 << 0,
}

/// <summary><c>struct ebc_ep</c>: how to reach it, and what it may claim to be.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Ep(uint Ifindex, uint Id, MacAddr PodMac, MacAddr HostMac, EpFlags Flags);
