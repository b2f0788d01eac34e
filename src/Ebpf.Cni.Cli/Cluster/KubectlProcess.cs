using System.ComponentModel;
using System.Diagnostics;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>kubectl as a child process.</summary>
/// <param name="file">Its path.</param>
/// <param name="connection">Options that say which cluster, and as which user.</param>
/// <param name="errors">Where the errors of interactive runs appear.</param>
internal sealed class KubectlProcess(string file, IReadOnlyList<string> connection, TextWriter errors) : IKubectl
{
    public async Task<KubectlOutcome> RunAsync(IReadOnlyList<string> arguments, bool interactive, CancellationToken cancel)
    {
        using var process = Start([.. connection, .. arguments], interactive);
        try
        {
            if (!interactive)
                process.StandardInput.Close();
            var said = interactive ? RelayAsync(process.StandardError, cancel) : process.StandardError.ReadToEndAsync(cancel);
            var output = await process.StandardOutput.ReadToEndAsync(cancel).ConfigureAwait(false);
            var errorText = await said.ConfigureAwait(false);
            await process.WaitForExitAsync(cancel).ConfigureAwait(false);
            return new KubectlOutcome(process.ExitCode, output, errorText);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// $KUBECTL, a path or a name, else kubectl; a name is the first of it on PATH. The working directory is not searched.
    /// </summary>
    /// <exception cref="CliException">There is none.</exception>
    public static string Find(Func<string, string?> variable)
    {
        var name = variable("KUBECTL") is { Length: > 0 } named ? named : "kubectl";
        if (name.Contains('/', StringComparison.Ordinal))
            return name;
        var directories = (variable("PATH") ?? "").Split(':').Where(Path.IsPathRooted);
        return directories.Select(d => Path.Combine(d, name)).FirstOrDefault(File.Exists)
            ?? throw CliException.Failed($"{name} is not on PATH; the variable KUBECTL names another one");
    }

    private Process Start(string[] arguments, bool interactive)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(file, arguments)
            {
                RedirectStandardInput = !interactive, RedirectStandardOutput = true, RedirectStandardError = true,
            }) ?? throw CliException.Failed($"{file} did not start");
        }
        catch (Win32Exception e)
        {
            throw CliException.Failed($"{file} cannot be started: {e.Message}");
        }
    }

    private async Task<string> RelayAsync(StreamReader from, CancellationToken cancel)
    {
        var buffer = new char[1024];
        while (await from.ReadAsync(buffer, cancel).ConfigureAwait(false) is > 0 and var read)
        {
            await errors.WriteAsync(buffer.AsMemory(0, read), cancel).ConfigureAwait(false);
            await errors.FlushAsync(cancel).ConfigureAwait(false);
        }

        return "";
    }
}
