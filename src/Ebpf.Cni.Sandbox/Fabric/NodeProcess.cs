using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>What to start inside a node or a pod.</summary>
/// <param name="Namespace">Its network namespace.</param>
/// <param name="Cgroup">The cgroup it joins before it becomes the command; made if it is missing.</param>
/// <param name="Command">The program, by path or by name on PATH, and its arguments.</param>
public sealed record ProcessPlan(NetworkNamespace Namespace, string Cgroup, IReadOnlyList<string> Command)
{
    /// <summary>The whole environment; null: the caller's.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    public string WorkingDirectory { get; init; } = "/";

    /// <summary>
    /// The mount namespace in which the command is looked for and runs, as a file that nsenter takes; null: the caller's. Everything else
    /// here is meant as the caller sees it.
    /// </summary>
    public string? Mounts { get; init; }

    /// <summary>Gets both outputs, appended; null: they are the caller's, or captured.</summary>
    public string? LogFile { get; init; }

    /// <summary>The terminal of the session that it leads, as the caller sees it; null: none.</summary>
    public string? Terminal { get; init; }

    /// <summary>Input and both outputs are pipes held by the caller.</summary>
    public bool Pipes { get; init; }

    /// <summary>Leads a session of its own, so that a terminal's Ctrl-C does not reach it.</summary>
    public bool OwnSession { get; init; } = true;
}

/// <summary>
/// Starts processes inside namespaces. .NET forks on the thread that calls, and a child is born in its parent thread's
/// network namespace; nothing else changes (<c>ip netns exec</c> would mount another /sys and hide cgroups and pins). Another mount
/// namespace is entered by a program of one thread on its way to the command.
/// </summary>
internal static class NodeProcess
{
    // joins the cgroup before the command exists, so that its first socket is already seen by the cgroup's programs
    private const string Prologue = """
        echo $$ >"$1/cgroup.procs" || exit 126
        [ -z "$2" ] || exec >>"$2" 2>&1 </dev/null
        case $3 in
        /*) terminal=$3; shift 3; exec setsid --ctty "$@" <"$terminal" >"$terminal" 2>&1 ;;
        session) shift 3; exec setsid "$@" ;;
        esac
        shift 3
        exec "$@"
        """;

    public static Process Start(ProcessPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Directory.CreateDirectory(plan.Cgroup);
        var start = new ProcessStartInfo("/bin/sh")
        {
            WorkingDirectory = Directory.Exists(plan.WorkingDirectory) ? plan.WorkingDirectory : "/",
            RedirectStandardInput = plan.Pipes,
            RedirectStandardOutput = plan.Pipes,
            RedirectStandardError = plan.Pipes,
        };
        string[] enter = plan.Mounts is { } mounts ? ["nsenter", "--mount=" + mounts, "--"] : [];
        var session = plan.Terminal ?? (plan.OwnSession ? "session" : "");
        foreach (var argument in (string[])["-c", Prologue, "sh", plan.Cgroup, plan.LogFile ?? "", session, .. enter, .. plan.Command])
            start.ArgumentList.Add(argument);
        if (plan.Environment is { } environment)
        {
            start.Environment.Clear();
            foreach (var (name, value) in environment)
                start.Environment[name] = value;
        }
        return plan.Namespace.Run(() => Process.Start(start)) ?? throw new InvalidOperationException($"{plan.Command[0]} did not start");
    }

    /// <summary>Runs to the end, or until cancelled: then the process and its children are killed.</summary>
    public static async Task<ExecResult> RunAsync(ProcessPlan plan, string input = "", CancellationToken ct = default)
    {
        using var process = Start(plan with { Pipes = true });
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(ct);
            var errors = process.StandardError.ReadToEndAsync(ct);
            await WriteAsync(process, input, ct);
            await process.WaitForExitAsync(ct);
            return new ExecResult(process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>SIGTERM. A process that is gone is no error.</summary>
    public static async Task TerminateAsync(int processId)
    {
        // the shell's own kill: .NET can send only SIGKILL
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("kill -TERM " + processId.ToString(CultureInfo.InvariantCulture));
        using var kill = Process.Start(start) ?? throw new InvalidOperationException("/bin/sh did not start");
        await kill.WaitForExitAsync();
    }

    private static async Task WriteAsync(Process process, string input, CancellationToken ct)
    {
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), ct);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // it does not read its input, or has already ended
        }
    }
}

/// <summary>How a command ended.</summary>
/// <param name="ExitCode">127: there is no such program; 126: it could not be started.</param>
public sealed record ExecResult(int ExitCode, string Output, string Errors)
{
    /// <exception cref="InvalidOperationException">The exit code is not zero; carries what was written to both outputs.</exception>
    public ExecResult ThrowIfFailed() => ExitCode == 0
        ? this
        : throw new InvalidOperationException($"exit code {ExitCode}: {Errors.Trim()} {Output.Trim()}");
}
