using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Installation;

namespace Ebpf.Cni.Agent.Prepare;

/// <summary>
/// "ebpf-cni-agent prepare": what an init container does on the node before the agent's container is made, with rights that the agent then
/// does not need. Exit codes are the agent's.
/// </summary>
internal static class PrepareCommand
{
    public const string Name = "prepare";

    public static int Run(IReadOnlyList<string> arguments, Func<string, string?> environment, Func<string, string> readFile)
    {
        var (value, others) = HostProc.Split(arguments);
        var hostProc = value ?? "";
        var read = OptionsReader.Read(others, environment, readFile);
        if (read.HelpWanted || read.VersionWanted)
        {
            Console.Write(read.HelpWanted ? OptionsHelp.Text : AgentVersion.Text + "\n");
            return 0;
        }

        var errors = read.Errors.Concat(HostErrors(hostProc)).Concat(OptionsCheck.InstallationErrors(read.Options)).ToList();
        if (errors.Count > 0)
        {
            Print(errors);
            Console.Error.WriteLine("ebpf-cni-agent --help lists the options");
            return 2;
        }

        var missing = HostProc.Missing(HostProc.Needed).ToList();
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
            foreach (var done in MountNamespace.Run(HostProc.FirstProcess(hostProc), () => HostMounts.Ensure(options)))
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

    private static IEnumerable<string> HostErrors(string hostProc) => hostProc.Length == 0
        ? [$"{HostProc.Switch}: is required: where the node's /proc is mounted"]
        : HostProc.Errors(hostProc);

    private static void Print(IEnumerable<string> errors)
    {
        foreach (var error in errors)
            Console.Error.WriteLine(error);
    }
}
