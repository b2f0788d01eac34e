using Ebpf.Cni.Pods.Files;

namespace Ebpf.Cni.Pods.Installation;

/// <summary>
/// The plugin's binary where the container runtime looks for it. A runtime that starts it meanwhile gets the old one or the new one.
/// </summary>
public static class PluginFile
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public static string Target(PluginPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return Path.Combine(paths.BinDir, CniInstaller.PluginName);
    }

    /// <summary>
    /// Writes only what differs: the directory may be read-only to an agent whose plugin was installed before it started.
    /// </summary>
    /// <returns>It was written.</returns>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static bool Install(PluginPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (IsInstalled(paths))
            return false;
        Directory.CreateDirectory(paths.BinDir);
        AtomicFile.RemoveLeftovers(paths.BinDir, CniInstaller.PluginName);
        return AtomicFile.Ensure(Target(paths), File.ReadAllBytes(paths.Plugin), Executable);
    }

    /// <summary>There is nothing to install.</summary>
    public static bool IsInstalled(PluginPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        try
        {
            return File.GetUnixFileMode(Target(paths)) == Executable
                && File.ReadAllBytes(Target(paths)).AsSpan().SequenceEqual(File.ReadAllBytes(paths.Plugin));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
