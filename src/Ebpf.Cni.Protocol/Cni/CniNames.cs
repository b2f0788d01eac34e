namespace Ebpf.Cni.Protocol.Cni;

/// <summary>The rules for what a runtime may name: shared by the plugin and by the agent, which trusts no peer.</summary>
public static class CniNames
{
    /// <summary>Linux' IFNAMSIZ without the terminator.</summary>
    public const int InterfaceNameMax = 15;

    /// <summary>Longer ids exist nowhere; a bound keeps requests and state files bounded.</summary>
    public const int ContainerIdMax = 255;

    /// <summary>PATH_MAX without the terminator.</summary>
    public const int PathMax = 4095;

    /// <summary>CNI_ARGS and CNI_PATH: Linux allows 128 KiB, which no runtime needs.</summary>
    public const int VariableMax = 16384;

    /// <summary>Starts with an alphanumeric character, then alphanumerics, '_', '.' and '-' (CNI specification, CNI_CONTAINERID).</summary>
    public static bool IsContainerId(string? id) =>
        id is { Length: > 0 and <= ContainerIdMax } && char.IsAsciiLetterOrDigit(id[0])
        && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    /// <summary>What the kernel's dev_valid_name takes, in ASCII and without control characters.</summary>
    public static bool IsInterfaceName(string? name) =>
        name is { Length: > 0 and <= InterfaceNameMax } and not ("." or "..")
        && name.All(c => c > ' ' && c < 0x7f && c is not ('/' or ':'));

    /// <summary>An absolute path, without NUL.</summary>
    public static bool IsAbsolutePath(string? path) =>
        path is { Length: > 1 and <= PathMax } && path[0] == '/' && !path.Contains('\0', StringComparison.Ordinal);
}
