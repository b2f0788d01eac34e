using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary><c>enum ebc_ipcache_flags</c>: what a destination is; one that is none of these is outside the cluster.</summary>
[Flags]
public enum IpcacheFlags : uint
{
    None = 0,

    /// <summary>Pods, here or elsewhere.</summary>
    Pod = 1 << 0,

    /// <summary>A node's own address.</summary>
    Node = 1 << 1,

    /// <summary>Configured: pods reach it with their own address.</summary>
    Exempt = 1 << 2,
}

/// <summary><c>struct ebc_ipcache_key</c>.</summary>
/// <param name="Prefixlen">96 + n for an IPv4 prefix of n bits.</param>
/// <param name="Addr">The prefix's address, all other bits 0.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IpcacheKey(uint Prefixlen, Addr Addr);

/// <summary><c>struct ebc_ipcache</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Ipcache(IpcacheFlags Flags);

/// <summary><c>struct ebc_uplink_key</c>: 0 stands for the node itself, the addresses by which others know it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct UplinkKey(uint Ifindex);

/// <summary><c>struct ebc_uplink</c>: the addresses that masquerading uses on a device; all zero where there is none of a family.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Uplink(Addr V4, Addr V6);

/// <summary><c>struct ebc_netns_key</c>: the network namespace of a pod on this node (SO_NETNS_COOKIE, Linux 5.14).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct NetnsKey(ulong Cookie);

/// <summary><c>struct ebc_netns</c>: the pod's addresses, for a socket that has no source address yet; all zero where there is none of a family.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Netns(Addr V4, Addr V6);
