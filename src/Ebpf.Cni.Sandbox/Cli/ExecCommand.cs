using System.CommandLine;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Cli;

/// <summary>Runs a command in a pod, on the caller's terminal.</summary>
internal static class ExecCommand
{
    public static Command Create(Option<string> name)
    {
        var pod = new Argument<string>("pod") { Description = "NAME or NAMESPACE/NAME" };
        var words = new Argument<string[]>("command") { Description = "what to run, after --", Arity = ArgumentArity.OneOrMore };
        var command = new Command("exec", "run a command in a pod's network namespace and cgroup") { pod, words };
        command.SetAction(async (parsed, ct) =>
        {
            using var sandbox = SandboxView.Open(parsed.GetRequiredValue(name));
            var (plan, network) = await sandbox.PlanAsync(parsed.GetRequiredValue(pod), parsed.GetRequiredValue(words), ct);
            using (network)
                return await RunAsync(plan with { OwnSession = false }, ct);
        });
        return command;
    }

    private static async Task<int> RunAsync(ProcessPlan plan, CancellationToken ct)
    {
        using var process = NodeProcess.Start(plan);
        try
        {
            await process.WaitForExitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // a terminal's Ctrl-C has reached it too; a signal to us alone has not
            await NodeProcess.TerminateAsync(process.Id);
            await process.WaitForExitAsync(CancellationToken.None);
        }
        return process.ExitCode;
    }
}
