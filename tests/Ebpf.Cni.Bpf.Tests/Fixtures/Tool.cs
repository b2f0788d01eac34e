using System.Diagnostics;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Runs the machine's own programs (tc, nft, iptables, ping) in a namespace.</summary>
internal static class Tool
{
    /// <summary>Its standard output; the test fails with its errors when it does not succeed.</summary>
    public static string Run(NetworkNamespace where, string program, params string[] arguments)
    {
        var (code, output, errors) = Try(where, program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: {errors}{output}");
        return output;
    }

    public static (int Code, string Output, string Errors) Try(NetworkNamespace where, string program, params string[] arguments) =>
        where.Run(() => Try(program, arguments));

    private static (int Code, string Output, string Errors) Try(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }
}
