using System.Diagnostics;
using System.Text;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Chart.Tests.Rendering;

/// <summary>What a run of helm gave.</summary>
internal sealed record HelmResult(int ExitCode, string Output, string Errors)
{
    public bool Succeeded => ExitCode == 0;
}

/// <summary>The real program, as scripts/helm.sh names it; a few at once.</summary>
internal static class Helm
{
    public const string Release = "ebpf-cni", Namespace = "kube-system";

    public static readonly string Chart = Path.Combine(Repository.Root, "charts", "ebpf-cni");

    private static readonly SemaphoreSlim Slots = new(Math.Max(2, Environment.ProcessorCount));
    private static readonly Lazy<Task<string>> Program = new(FindAsync);

    /// <summary>helm template.</summary>
    public static Task<HelmResult> TemplateAsync(string kubeVersion, params IEnumerable<string> args) =>
        TemplateAsync(kubeVersion, args, Chart);

    /// <summary>The same of another chart.</summary>
    public static Task<HelmResult> TemplateAsync(string kubeVersion, IEnumerable<string> args, string chart) =>
        RunAsync(["template", Release, chart, "--namespace", Namespace, "--kube-version", kubeVersion, .. args]);

    public static Task<HelmResult> LintAsync(params IEnumerable<string> args) => RunAsync(["lint", "--strict", Chart, .. args]);

    /// <summary>With a file of values, as -f.</summary>
    public static async Task<HelmResult> WithValuesAsync(string values, Func<string[], Task<HelmResult>> run)
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".yaml");
        await File.WriteAllTextAsync(file, values);
        try
        {
            return await run(["-f", file]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<HelmResult> RunAsync(IEnumerable<string> args)
    {
        var program = await Program.Value;
        await Slots.WaitAsync();
        try
        {
            return await StartAsync(program, args);
        }
        finally
        {
            Slots.Release();
        }
    }

    private static async Task<string> FindAsync()
    {
        var found = await StartAsync(Path.Combine(Repository.Root, "scripts", "helm.sh"), []);
        return found.Succeeded ? found.Output.Trim() : throw new FileNotFoundException($"scripts/helm.sh finds no helm: {found.Errors}");
    }

    private static async Task<HelmResult> StartAsync(string program, IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        // no cluster is asked, whatever the user's is
        start.Environment["KUBECONFIG"] = "/nonexistent";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return new HelmResult(process.ExitCode, await output, await errors);
    }
}
