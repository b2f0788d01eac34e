using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Agent.Options;

/// <summary>
/// --host-proc DIR of sub-commands that work on the node from a container: DIR is where the node's /proc is mounted, and the namespaces
/// of its first process are the node's.
/// </summary>
internal static class HostProc
{
    public const string Switch = "--host-proc";

    /// <summary>What entering the node's namespaces needs.</summary>
    public static readonly (Capability Capability, string Need)[] Needed =
    [
        (Capability.SysAdmin, "to enter the node's mount namespace and to mount"),
        (Capability.SysChroot, "to enter the node's mount namespace"),
        (Capability.SysPtrace, "to see the namespaces of the node's first process"),
    ];

    /// <summary>The node's first process, as a directory of procfs.</summary>
    public static string FirstProcess(string hostProc) => Path.Combine(hostProc, "1");

    /// <summary>The switch's value, and the other arguments. Null without the switch; "" is a value, and a wrong one.</summary>
    public static (string? HostProc, IReadOnlyList<string> Others) Split(IReadOnlyList<string> arguments)
    {
        string? hostProc = null;
        var others = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] == Switch)
                hostProc = i + 1 < arguments.Count ? arguments[++i] : "";
            else if (arguments[i].StartsWith(Switch + "=", StringComparison.Ordinal))
                hostProc = arguments[i][(Switch.Length + 1)..];
            else
                others.Add(arguments[i]);
        }

        return (hostProc, others);
    }

    /// <summary>What is wrong with a value, a sentence each.</summary>
    public static IEnumerable<string> Errors(string hostProc)
    {
        if (!Path.IsPathRooted(hostProc))
            yield return $"{Switch}: '{hostProc}' is not an absolute path";
        else if (!Directory.Exists(Path.Combine(FirstProcess(hostProc), "ns")))
            yield return $"{Switch}: {hostProc} has no process 1: the node's /proc has to be mounted there";
    }

    /// <summary>A sentence for each capability that is needed and not held.</summary>
    public static IEnumerable<string> Missing(IEnumerable<(Capability Capability, string Need)> needed)
    {
        var held = Capabilities.Effective();
        return needed.Where(n => !held.Has(n.Capability)).Select(n => $"{Capabilities.Name(n.Capability)} is missing: needed {n.Need}");
    }
}
