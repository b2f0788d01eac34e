using System.Diagnostics;
using System.Text.Json;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cli;

/// <summary>The published command line, asked about one node.</summary>
internal sealed class Ecni(ServiceCluster cluster, string node)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public static string Binary => Repository.Artifact("ecni");

    private SandboxNode Node => cluster.Cluster.Nodes[node];

    /// <returns>Exit code, output, errors.</returns>
    public async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Binary, ["--run-dir", Node.Directories.Run, .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await errors);
    }

    public async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var (_, output, errors) = await RunAsync([.. arguments, "-o", "json"]);
        return output.Length > 0 ? JsonDocument.Parse(output).RootElement : throw new InvalidOperationException(errors);
    }

    /// <summary>Asks until the text is as it should be; what it was at last is in the failure.</summary>
    public async Task<string> Shows(Predicate<string> wanted, params string[] arguments)
    {
        var (code, output, errors) = (0, "", "");
        try
        {
            await Eventually.True(
                async () =>
                {
                    (code, output, errors) = await RunAsync(arguments);
                    return wanted(output);
                }, "", Patience);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"ecni {string.Join(' ', arguments)} on {node} ended with {code} and said\n{output}{errors}");
        }

        return output;
    }
}
