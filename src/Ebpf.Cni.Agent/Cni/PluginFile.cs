using Ebpf.Cni.Agent.Options;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>The plugin's binary where the container runtime looks for it. A runtime that starts it meanwhile gets the old one or the new one.</summary>
public static class PluginFile
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public static string Target(AgentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Path.Combine(options.CniBinDir, CniInstaller.PluginName);
    }

    /// <summary>Writes only what differs: the directory may be read-only to an agent whose plugin was installed before it started.</summary>
    /// <returns>It was written.</returns>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static bool Install(AgentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (IsInstalled(options))
            return false;
        Directory.CreateDirectory(options.CniBinDir);
        AtomicFile.RemoveLeftovers(options.CniBinDir, CniInstaller.PluginName);
        return AtomicFile.Ensure(Target(options), File.ReadAllBytes(options.CniPlugin), Executable);
    }

    /// <summary>There is nothing to install.</summary>
    public static bool IsInstalled(AgentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            return File.GetUnixFileMode(Target(options)) == Executable && File.ReadAllBytes(Target(options)).AsSpan().SequenceEqual(File.ReadAllBytes(options.CniPlugin));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
