namespace Ebpf.Cni.Kernel.Host;

/// <summary>
/// Kernel settings below /proc/sys. Those below net/ are the calling thread's network namespace's: inside
/// <see cref="Namespaces.NetworkNamespace.Run(Action)"/> they are that namespace's.
/// </summary>
public static class Sysctl
{
    private const string Root = "/proc/sys/";
    private const string NetworkRoot = Root + "net";

    /// <param name="name">
    /// "net.ipv4.ip_forward"; with slashes where an interface's name has dots: "net/ipv4/conf/eth0.5/forwarding".
    /// </param>
    /// <param name="networkRoot">Where /proc/sys/net is mounted: it is the calling thread's namespace's there too.</param>
    /// <exception cref="KernelException">ENOENT without such a setting.</exception>
    public static string Read(string name, string networkRoot = NetworkRoot) =>
        Guard($"read the setting {name}", () => File.ReadAllText(PathOf(name, networkRoot)).TrimEnd('\n'));

    /// <exception cref="KernelException">ENOENT without such a setting; EINVAL for a value it does not take.</exception>
    public static void Write(string name, string value, string networkRoot = NetworkRoot) => Guard($"set {name} to {value}", () =>
    {
        File.WriteAllText(PathOf(name, networkRoot), value);
        return value;
    });

    /// <summary>
    /// Writes only what differs: some settings act when written, and /proc/sys may be read-only where all is well already.
    /// </summary>
    /// <returns>Whether it was written.</returns>
    public static bool Ensure(string name, string value, string networkRoot = NetworkRoot)
    {
        if (Read(name, networkRoot) == value)
            return false;
        Write(name, value, networkRoot);
        return true;
    }

    internal static string PathOf(string name, string networkRoot = NetworkRoot)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var relative = name.Contains('/', StringComparison.Ordinal) ? name : name.Replace('.', '/');
        return relative.Split('/').Any(part => part is "" or "." or "..")
            ? throw new ArgumentException($"'{name}' names no kernel setting")
            : relative.StartsWith("net/", StringComparison.Ordinal) ? networkRoot + relative[3..]
            : Root + relative;
    }

    private static string Guard(string operation, Func<string> access)
    {
        try
        {
            return access();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new KernelException(operation, Errno.ENOENT);
        }
        catch (UnauthorizedAccessException)
        {
            throw new KernelException(operation, Errno.EACCES);
        }
        catch (IOException e)
        {
            // for what has no exception of its own .NET puts the error number here
            throw new KernelException(operation, e.HResult is > 0 and < 4096 ? e.HResult : Errno.EINVAL, e.Message);
        }
    }
}
