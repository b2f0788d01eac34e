using System.Diagnostics;
using Ebpf.Cni.Cli.Tests.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>The NativeAOT binary that ships: the same as in process, and small.</summary>
public class PublishedBinaryTests(ITestOutputHelper log)
{
    private const long SizeMax = 9_000_000;

    private static string Binary => Repository.Artifact("ecni");

    [Fact]
    public void It_is_small()
    {
        var size = new FileInfo(Binary).Length;
        log.WriteLine($"ecni: {size} bytes");
        Assert.InRange(size, 1, SizeMax);
    }

    [Fact]
    public void Every_answer_is_read_and_printed()
    {
        foreach (var line in RenderingTests.Cases)
        {
            var (name, command) = line.Data;
            var golden = Path.Combine(AppContext.BaseDirectory, "golden", name);
            using var agent = FakeAgent.Answering(File.ReadAllText(golden + ".json"));
            var (_, output, errors) = Run(["--run-dir", agent.RunDirectory, .. command.Split(' ')]);
            Assert.Equal("", errors);
            Assert.Contains(File.ReadAllText(golden + ".txt").Split('\n')[^2], output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Errors_are_sentences()
    {
        Assert.Equal((0, ""), Run(["--version"]) is var version ? (version.Code, version.Errors) : default);
        Assert.Equal((2, ""), Run([]) is var none ? (none.Code, none.Output) : default);
        var (code, _, errors) = Run(["status", "--run-dir", "/nonexistent"]);
        const string absent = "ecni: there is no socket /nonexistent/observe.sock: the agent is not running, or has another --run-dir\n";
        Assert.Equal((1, absent), (code, errors));
        var probe = Run(["probe", "no-such-name.invalid:80", "--timeout", "3"]);
        Assert.Equal(1, probe.Code);
        Assert.Contains("no-such-name.invalid", probe.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_is_not_root_is_told_that_it_takes_root()
    {
        Requires.Root();
        Requires.Tool("setpriv");
        using var agent = FakeAgent.Answering("""{"ready":true}""");
        var directory = Directory.CreateTempSubdirectory("ebc-cli-test-");
        try
        {
            // Where nobody may look, a binary cannot be started either.
            var copy = Path.Combine(directory.FullName, "ecni");
            File.Copy(Binary, copy);
            File.SetUnixFileMode(directory.FullName, File.GetUnixFileMode(directory.FullName) | UnixFileMode.OtherExecute);
            Assert.Equal(0, Run(copy, ["status", "--run-dir", agent.RunDirectory]).Code);
            var (code, _, errors) = Run("setpriv", ["--reuid", "65534", "--clear-groups", copy, "status", "--run-dir", agent.RunDirectory]);
            Assert.Equal((1, $"ecni: {agent.RunDirectory}/observe.sock: permission denied; only root may ask the agent\n"), (code, errors));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void Help_suggestions_and_completions_are_in_it()
    {
        Assert.Contains("service get", Run(["help"]).Output, StringComparison.Ordinal);
        Assert.Contains("\nstatus\n", Run(["stauts"]).Errors, StringComparison.Ordinal);
        Assert.Contains("get\t", Run(["__complete", "service", ""]).Output, StringComparison.Ordinal);
        Assert.Contains("complete ", Run(["completion", "bash"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Under_the_plugins_name_it_asks_every_node()
    {
        using var fake = FakeKubectl.Of(Path.Combine(AppContext.BaseDirectory, "golden", "cluster", "service-differs"));
        var expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "cluster", "service-differs.txt"));
        var (code, output, errors) = Run(Repository.Artifact(CliRun.PluginName), ["service", "get", "default/web"], ("KUBECTL", fake.Path));
        Assert.Equal((1, expected, ""), (code, output, errors));
        var completed = Run(Repository.Artifact(CliRun.PluginCompletionName), ["status", "--cont"]).Output;
        Assert.Contains("--context\t", completed, StringComparison.Ordinal);
    }

    /// <summary>A kubectl as it is shipped starts it, passes arguments on, and asks it for completions.</summary>
    [Fact]
    public void Kubectl_finds_it_by_its_name()
    {
        Requires.Tool("kubectl");
        using var fake = FakeKubectl.Of(Path.Combine(AppContext.BaseDirectory, "golden", "cluster", "endpoints"));
        var path = $"{Path.GetDirectoryName(Repository.Artifact(CliRun.PluginName))}:{Environment.GetEnvironmentVariable("PATH")}";
        string[] arguments = ["ecni", "endpoint", "list", "--context", "prod"];
        var (code, output, errors) = Run("kubectl", arguments, ("KUBECTL", fake.Path), ("PATH", path));
        Assert.Equal((0, ""), (code, errors));
        Assert.Equal(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "cluster", "endpoints.txt")), output);
        Assert.All(fake.Calls, call => Assert.StartsWith("--context=prod ", call, StringComparison.Ordinal));
        Assert.Contains("endpoint\t", Run("kubectl", ["__complete", "ecni", "endp"], ("PATH", path)).Output, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Errors) Run(string[] arguments) => Run(Binary, arguments);

    private static (int Code, string Output, string Errors) Run(
        string file, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }
}
