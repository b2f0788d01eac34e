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

    /// <summary>Of this node: its own address, or its own pods' prefix.</summary>
    Local = 1 << 3,
}

/// <summary><c>struct ebc_ipcache_key</c>.</summary>
/// <param name="Prefixlen">96 + n for an IPv4 prefix of n bits.</param>
/// <param name="Addr">The prefix's address, all other bits 0.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IpcacheKey(uint Prefixlen, Addr Addr);

/// <summary><c>struct ebc_ipcache</c>.</summary>
/// <param name="Flags">What the addresses are.</param>
/// <param name="Ifindex">This node's tunnel device if they belong to a node that is reached through it; else 0.</param>
/// <param name="Tunnel">That node's address in the underlay; else all zero.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Ipcache(IpcacheFlags Flags, uint Ifindex = 0, Addr Tunnel = default);

/// <summary><c>struct ebc_overlay</c>: this node's end of all tunnels; all 0 where there is none.</summary>
/// <param name="Ifindex">The VXLAN device.</param>
/// <param name="Vni">The number of the cluster's network.</param>
/// <param name="Mtu">Bytes of an inner packet, its IP header included.</param>
/// <param name="Port">UDP, of what is encapsulated.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Overlay(uint Ifindex, uint Vni, uint Mtu, U16Be Port)
{
    private readonly ushort _pad0 = 0;
}

/// <summary><c>struct ebc_uplink_key</c>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct UplinkKey(uint Ifindex);

/// <summary><c>struct ebc_uplink</c>: the addresses that masquerading uses on a device; all zero where there is none of a family.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Uplink(Addr V4, Addr V6);

/// <summary><c>struct ebc_node</c>: the node's data that the agent writes for all programs; a global that they share.</summary>
/// <param name="Own">The addresses by which others know the node.</param>
/// <param name="Overlay">Its end of all tunnels.</param>
/// <param name="Epoch">Counts the changes of frontends: odd while the agent changes them, another number afterwards.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Node(Uplink Own, Overlay Overlay, uint Epoch)
{
    private readonly uint _pad0 = 0;
}

/// <summary><c>struct ebc_netns_key</c>: the network namespace of a pod on this node (SO_NETNS_COOKIE, Linux 5.14).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct NetnsKey(ulong Cookie);

/// <summary>
/// <c>struct ebc_netns</c>: the pod's addresses, for a socket that has no source address yet; all zero where there is none of a family.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Netns(Addr V4, Addr V6);
