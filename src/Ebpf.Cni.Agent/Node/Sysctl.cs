namespace Ebpf.Cni.Agent.Node;

/// <summary>Settings below /proc/sys/net of the calling thread's network namespace.</summary>
public static class Sysctl
{
    private const string Root = "/proc/sys/net";

    /// <summary>This kernel has the setting.</summary>
    public static bool Has(string name) => File.Exists(Path.Combine(Root, name));

    /// <summary>The setting is there and has this value.</summary>
    public static bool Is(string name, string value) => Has(name) && File.ReadAllText(Path.Combine(Root, name)).Trim() == value;

    /// <summary>Sets a value where it is another; true if it was. A setting that this kernel does not have is left alone.</summary>
    /// <param name="name">With slashes, since interface names may have dots: ipv4/ip_forward.</param>
    /// <param name="value">As it reads back.</param>
    public static bool Ensure(string name, string value)
    {
        var path = Path.Combine(Root, name);
        if (!File.Exists(path) || File.ReadAllText(path).Trim() == value)
            return false;
        File.WriteAllText(path, value);
        return true;
    }
}
