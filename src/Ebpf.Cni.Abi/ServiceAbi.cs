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

    /// <summary>It arrived over an uplink.</summary>
    External = 1,
}

/// <summary><c>enum ebc_svc_flags</c>.</summary>
[Flags]
public enum SvcFlags : uint
{
    None = 0,

    /// <summary>No backend means silent drop (there are some, none usable here), not refusal.</summary>
    DropEmpty = 1 << 0,
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

/// <summary><c>struct ebc_svc</c>: where a frontend's backends are.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Svc(uint Offset, uint Count, uint ServiceId, SvcFlags Flags, uint AffinitySec)
{
    private readonly uint _pad0 = 0;
}

/// <summary><c>struct ebc_backend</c>: an element of a segment.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Backend(Addr Addr, U16Be Port, BackendFlags Flags, uint ServiceId);

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
