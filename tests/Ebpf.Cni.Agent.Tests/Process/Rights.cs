namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>Launchers that take something away from what they start, and become it.</summary>
internal static class Rights
{
    /// <summary>
    /// Root with these capabilities and no others, and no way to more: as a container runtime starts what drops ALL and adds these.
    /// </summary>
    /// <param name="capabilities">net_admin</param>
    public static string[] Capabilities(params IEnumerable<string> capabilities)
    {
        var set = string.Join(',', capabilities.Select(c => "+" + c).Prepend("-all"));
        return ["setpriv", "--no-new-privs", "--inh-caps", set, "--bounding-set", set];
    }

    /// <summary>In a mount namespace of its own, after a script of the shell.</summary>
    public static string[] Mounts(string script) =>
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script + "\nexec \"$@\"", "sh"];

    /// <summary>The directory cannot be written, as a container's root file system where nothing is mounted.</summary>
    public static string ReadOnly(string directory) => $"mount --bind {directory} {directory}; mount -o remount,bind,ro {directory}";
}
