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
}

/// <summary><c>struct ebc_config</c>: the read-only global of every object, set before load.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Config(ConfigFlags Flags)
{
    private readonly uint _pad0 = 0;
}
