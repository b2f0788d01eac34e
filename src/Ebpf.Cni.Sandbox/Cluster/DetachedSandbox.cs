using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>A sandbox in a process of its own that outlives this one: this program again, with `up`, in its own session.</summary>
internal static class DetachedSandbox
{
    // its outputs must not be ours: who reads ours would wait for its end
    private const string Prologue = "exec >\"$1\" 2>&1 </dev/null; shift; exec setsid \"$@\"";

    /// <summary>How to call this program again.</summary>
    public static IReadOnlyList<string> Self { get; } = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
        ? [Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "ebpf-cni-sandbox.dll")]
        : [Environment.ProcessPath!];

    /// <summary>Returns when the sandbox is ready.</summary>
    /// <exception cref="InvalidOperationException">It did not come up; carries what it printed.</exception>
    public static async Task<SandboxView> StartAsync(SandboxOptions options, CancellationToken ct)
    {
        var paths = new SandboxPaths(options.Name);
        if (SandboxRecord.Read(paths) is { } present && present.Owner.IsAlive)
            throw new InvalidOperationException(
                $"a sandbox '{options.Name}' is running (process {present.Owner.Id}): end it with `{string.Join(' ', Self)} down --name "
                + $"{options.Name}`");
        using var process = Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", Prologue, "sh", paths.OwnerLog, .. Self, "up", .. Arguments(options)]))
            ?? throw new InvalidOperationException("/bin/sh did not start");
        try
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (SandboxRecord.Read(paths) is not { Ready: true, Owner.IsAlive: true })
            {
                if (process.HasExited)
                    throw new InvalidOperationException($"the sandbox did not come up:\n{await File.ReadAllTextAsync(paths.OwnerLog, ct)}");
                await timer.WaitForNextTickAsync(ct);
            }
            return SandboxView.Open(options.Name);
        }
        catch
        {
            await NodeProcess.TerminateAsync(process.Id);
            await process.WaitForExitAsync(CancellationToken.None);
            await SandboxCleanup.RunAsync(paths);
            throw;
        }
    }

    private static IEnumerable<string> Arguments(SandboxOptions options)
    {
        string[] arguments =
        [
            "--name", options.Name,
            "--artifacts", options.Artifacts ?? "",
            "--nodes", options.Nodes.ToString(CultureInfo.InvariantCulture),
            "--api-port", options.ApiPort.ToString(CultureInfo.InvariantCulture),
        ];
        string[] manifest = options.Manifest is { } file ? ["--install", file] : [];
        return arguments.Concat(manifest).Concat(options.Links.Select(link => "--link=" + link.ToString(CultureInfo.InvariantCulture)))
            .Concat(options.AgentArguments.Select(argument => "--agent-arg=" + argument));
    }
}
