using System.Runtime.InteropServices;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>"ebpf-cni-agent cleanup": takes everything that agents made off the node, and says what it did and what stays.</summary>
internal static class CleanupCommand
{
    public const string Name = "cleanup";

    /// <summary>Exit codes.</summary>
    public const int Done = 0, Failed = 1, WrongOptions = 2, Refused = 3;

    /// <returns>One of the exit codes: docs/install.md has them.</returns>
    public static int Run(IReadOnlyList<string> arguments, Func<string, string?> environment, Func<string, string> readFile)
    {
        var switches = CleanupArguments.Read(arguments);
        var read = OptionsReader.Read(switches.Options, environment, readFile);
        if (read.HelpWanted || read.VersionWanted)
        {
            Console.Write(read.HelpWanted ? OptionsHelp.Text : AgentVersion.Text + "\n");
            return Done;
        }

        var inContainer = switches.HostProc is not null;
        // On the node, its settings are where they always are; the option says where the agent's container has them.
        var options = inContainer ? read.Options with { SysctlRoot = SysctlTree.Usual } : read.Options;
        var errors = read.Errors.Concat(OptionsCheck.RemovalErrors(options))
            .Concat(switches.HostProc is { } hostProc ? HostProc.Errors(hostProc) : [])
            .Concat(HostProc.Missing(inContainer ? [.. RightsCheck.Needed, .. HostProc.Needed[1..]] : RightsCheck.Needed)).ToList();
        if (errors.Count > 0)
        {
            Print(Console.Error, "", errors);
            Console.Error.WriteLine("ebpf-cni-agent --help lists the options");
            return WrongOptions;
        }

        var code = Act(options, switches);
        if (code == Done && switches.Stay)
            Stay();
        return code;
    }

    private static int Act(AgentOptions options, CleanupArguments switches)
    {
        try
        {
            var removal = new NodeRemoval(options, switches.Force);
            var result = switches.HostProc is { } hostProc ? OnNode(HostProc.FirstProcess(hostProc), removal.Run) : removal.Run();
            return Report(result);
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return Failed;
        }
    }

    private static T OnNode<T>(string process, Func<T> work)
    {
        using var network = NetworkNamespace.Open(Path.Combine(process, "ns", "net"));
        return network.Run(() => MountNamespace.Run(process, work));
    }

    private static int Report(RemovalResult result)
    {
        if (result.Refusal.Count > 0)
        {
            Print(Console.Error, "", result.Refusal);
            return Refused;
        }

        var report = result.Report;
        Print(Console.Out, "removed: ", report.Removed);
        Print(Console.Out, "restored: ", report.Restored);
        Print(Console.Out, "left: ", report.Left);
        Print(Console.Error, "failed: ", report.Failures);
        if (report.Failures.Count > 0)
        {
            Console.Error.WriteLine("ebpf-cni is not removed completely: repeat the command once the causes are gone");
            return Failed;
        }

        Console.WriteLine(
            report.Removed.Count + report.Restored.Count > 0 ? "ebpf-cni is removed from this node"
            : report.Left.Count > 0 ? "there was nothing of ebpf-cni to remove but what is left"
            : "there was nothing of ebpf-cni to remove");
        return Done;
    }

    private static void Print(TextWriter to, string start, IEnumerable<string> lines)
    {
        foreach (var line in lines)
            to.WriteLine(start + line);
    }

    /// <summary>A DaemonSet starts again what ends: its container stays until a signal ends it.</summary>
    private static void Stay()
    {
        using var signalled = new ManualResetEventSlim();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        signalled.Wait();

        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            signalled.Set();
        }
    }
}
