using System.Diagnostics;

namespace Ebpf.Cni.Agent.Cleanup;

/// <summary>A program of the host, run to its end. Runs in the network namespace of the calling thread.</summary>
internal static class HostProgram
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>Where a shell would find it; null if nowhere.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(directory => Path.Combine(directory, name))
        .FirstOrDefault(File.Exists);

    /// <returns>What it printed.</returns>
    /// <exception cref="IOException">It cannot be started, fails, or takes too long; says what it complained about.</exception>
    public static string Run(string path, string input, params string[] arguments)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            process.StandardInput.Write(input);
            process.StandardInput.Close();
            if (!process.WaitForExit(Limit))
            {
                process.Kill(entireProcessTree: true);
                throw new IOException($"{path} did not end within {Limit.TotalSeconds:0} s");
            }

            process.WaitForExit();
            return process.ExitCode == 0
                ? output.GetAwaiter().GetResult()
                : throw new IOException(
                    $"{path} {string.Join(' ', arguments)} failed with {process.ExitCode}: {errors.GetAwaiter().GetResult().Trim()}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IOException($"{path} cannot be started: {e.Message}", e);
        }
    }
}
