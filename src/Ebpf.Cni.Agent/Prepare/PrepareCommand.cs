using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Installation;

namespace Ebpf.Cni.Agent.Prepare;

/// <summary>
/// "ebpf-cni-agent prepare": what an init container does on the node before the agent's container is made, with rights that the agent then does not need. Exit codes
/// are the agent's.
/// </summary>
internal static class PrepareCommand
{
    public const string Name = "prepare";
    private const string HostProcSwitch = "--host-proc";

    private static readonly (Capability Capability, string Need)[] Needed =
    [
        (Capability.SysAdmin, "to enter the node's mount namespace and to mount"),
        (Capability.SysChroot, "to enter the node's mount namespace"),
        (Capability.SysPtrace, "to see the namespaces of the node's first process"),
    ];

    public static int Run(IReadOnlyList<string> arguments, Func<string, string?> environment, Func<string, string> readFile)
    {
        var (hostProc, others) = Split(arguments);
        var read = OptionsReader.Read(others, environment, readFile);
        if (read.HelpWanted)
        {
            Console.Write(OptionsHelp.Text);
            return 0;
        }

        var errors = read.Errors.Concat(HostErrors(hostProc)).Concat(OptionsCheck.InstallationErrors(read.Options)).ToList();
        if (errors.Count > 0)
        {
            Print(errors);
            Console.Error.WriteLine("ebpf-cni-agent --help lists the options");
            return 2;
        }

        var held = Capabilities.Effective();
        var missing = Needed.Where(n => !held.Has(n.Capability)).Select(n => $"{Capabilities.Name(n.Capability)} is missing: needed {n.Need}").ToList();
        if (!PluginFile.IsInstalled(read.Options.PluginPaths) && WriteAccess.Refusal(read.Options.CniBinDir) is { } refusal)
            missing.Add($"--cni-bin-dir: {refusal}");
        if (missing.Count > 0)
        {
            Print(missing);
            return 1;
        }

        return Act(hostProc, read.Options);
    }

    private static int Act(string hostProc, AgentOptions options)
    {
        try
        {
            foreach (var done in MountNamespace.Run(Path.Combine(hostProc, "1"), () => HostMounts.Ensure(options)))
                Console.WriteLine(done);
            if (PluginFile.Install(options.PluginPaths))
                Console.WriteLine($"installed {PluginFile.Target(options.PluginPaths)}");
            return 0;
        }
        catch (Exception e) when (e is KernelException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }

    private static IEnumerable<string> HostErrors(string hostProc)
    {
        if (hostProc.Length == 0)
            yield return $"{HostProcSwitch}: is required: where the node's /proc is mounted";
        else if (!Path.IsPathRooted(hostProc))
            yield return $"{HostProcSwitch}: '{hostProc}' is not an absolute path";
        else if (!Directory.Exists(Path.Combine(hostProc, "1", "ns")))
            yield return $"{HostProcSwitch}: {hostProc} has no process 1: the node's /proc has to be mounted there";
    }

    private static (string HostProc, IReadOnlyList<string> Others) Split(IReadOnlyList<string> arguments)
    {
        var hostProc = "";
        var others = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] == HostProcSwitch && i + 1 < arguments.Count)
                hostProc = arguments[++i];
            else if (arguments[i].StartsWith(HostProcSwitch + "=", StringComparison.Ordinal))
                hostProc = arguments[i][(HostProcSwitch.Length + 1)..];
            else if (arguments[i] != HostProcSwitch)
                others.Add(arguments[i]);
        }

        return (hostProc, others);
    }

    private static void Print(IEnumerable<string> errors)
    {
        foreach (var error in errors)
            Console.Error.WriteLine(error);
    }
}
