using System.Diagnostics;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>The stock kubectl, with a directory of its own to work in.</summary>
internal sealed class KubectlProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public KubectlProgram(string? kubeconfig = null) => Kubeconfig = kubeconfig ?? Path.Combine(Scratch, "config");

    /// <summary>For files; gone afterwards.</summary>
    public string Scratch { get; } = Directory.CreateTempSubdirectory("ebpf-cni-kubectl").FullName;

    public string Kubeconfig { get; }

    /// <summary>Runs kubectl, which must end with 0, and returns what it printed.</summary>
    public async Task<string> OutputAsync(params string[] arguments)
    {
        var (code, output, errors) = await RunAsync(arguments);
        Assert.True(code == 0, $"kubectl {string.Join(' ', arguments)}: {errors}{output}");
        return output;
    }

    public async Task<(int Code, string Output, string Errors)> RunAsync(IEnumerable<string> arguments, string input = "")
    {
        using var process = Begin("kubectl", arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(Patience);
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Runs kubectl until <paramref name="enough"/> holds for a line that it prints; then it is ended.</summary>
    /// <param name="ready">Called once kubectl has printed its first line.</param>
    public async Task<string> UntilLineAsync(Func<string, bool> enough, Action ready, params string[] arguments)
    {
        using var process = Begin("kubectl", arguments);
        try
        {
            var errors = process.StandardError.ReadToEndAsync();
            var first = true;
            while (await process.StandardOutput.ReadLineAsync().WaitAsync(Patience) is { } line)
            {
                if (first)
                    ready();
                first = false;
                if (enough(line))
                    return line;
            }

            throw new InvalidOperationException($"kubectl {string.Join(' ', arguments)} ended: {await errors}");
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Forwards a port that it chooses itself, until disposed.</summary>
    public async Task<PortForward> ForwardAsync(params string[] arguments)
    {
        var process = Begin("kubectl", ["port-forward", "--address=127.0.0.1", .. arguments]);
        try
        {
            var line = await process.StandardOutput.ReadLineAsync().WaitAsync(Patience);
            if (line is null)
                throw new InvalidOperationException("kubectl port-forward ended: " + await process.StandardError.ReadToEndAsync());
            // Forwarding from 127.0.0.1:40123 -> 80
            return new PortForward(process, int.Parse(line.Split(' ')[2].Split(':')[1]));
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
            throw;
        }
    }

    /// <summary>Starts a program that knows the cluster as kubectl does; its streams are pipes.</summary>
    public Process Begin(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Scratch,
        };
        start.Environment["KUBECONFIG"] = Kubeconfig;
        start.Environment["HOME"] = Scratch;
        start.Environment["KUBE_EDITOR"] = "sed -i s/before/after/";
        return Process.Start(start)!;
    }

    public void Dispose() => Directory.Delete(Scratch, recursive: true);
}

/// <summary>A running kubectl port-forward.</summary>
internal sealed class PortForward(Process process, int port) : IDisposable
{
    /// <summary>On this machine's loopback.</summary>
    public int Port { get; } = port;

    public StreamReader Errors => process.StandardError;

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
