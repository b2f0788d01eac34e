using System.Diagnostics;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>The real kubectl, as users have it.</summary>
internal static class Kubectl
{
    public static async Task<ExecResult> RunAsync(SandboxCluster cluster, params string[] arguments)
    {
        var start = new ProcessStartInfo("kubectl", ["--kubeconfig", cluster.KubeconfigPath, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new ExecResult(process.ExitCode, output, await errors);
    }
}
