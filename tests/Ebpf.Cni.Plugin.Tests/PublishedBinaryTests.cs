using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>The NativeAOT binary that ships: the same answers as in process, small, and quick (printed, not asserted).</summary>
public class PublishedBinaryTests(ITestOutputHelper log)
{
    private const long SizeMax = 3_000_000;

    private static string Binary => Repository.Artifact("ebpf-cni");

    [Fact]
    public void It_is_small()
    {
        var size = new FileInfo(Binary).Length;
        log.WriteLine($"ebpf-cni: {size} bytes");
        Assert.InRange(size, 1, SizeMax);
    }

    [Fact]
    public void VERSION_needs_neither_input_nor_agent()
    {
        var outcome = Run(new() { ["CNI_COMMAND"] = "VERSION" }, "");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(CniVersion.Supported, outcome.Document.GetProperty("supportedVersions").EnumerateArray().Select(v => v.GetString()));
    }

    [Fact]
    public void VERSION_names_the_version_it_was_asked_in()
    {
        var outcome = Run(new() { ["CNI_COMMAND"] = "VERSION" }, """{"cniVersion":"0.4.0"}""");
        Assert.Equal("0.4.0", outcome.Document.GetProperty("cniVersion").GetString());
    }

    [Fact]
    public void An_ADD_goes_through_it()
    {
        using var agent = new FakeAgent("""{"result":{"cniVersion":"1.1.0"}}""");
        var outcome = Run(PluginProcess.Environment("ADD"), agent.Config("1.1.0"));
        Assert.Equal((0, """{"cniVersion":"1.1.0"}"""), (outcome.ExitCode, outcome.Document.GetRawText()));
        Assert.Equal("ADD", Assert.Single(agent.Requests).RootElement.GetProperty("command").GetString());
    }

    [Theory]
    [InlineData("garbage", CniErrorCode.DecodingFailure)]
    [InlineData("{\"cniVersion\":\"9.9.9\",\"name\":\"n\"}", CniErrorCode.IncompatibleVersion)]
    [InlineData("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"agentSocket\":\"/nonexistent/s\"}", CniErrorCode.TryAgainLater)]
    public void Bad_input_gives_a_code(string input, int code)
    {
        var outcome = Run(PluginProcess.Environment("ADD"), input);
        Assert.Equal((1, code), (outcome.ExitCode, outcome.Code));
    }

    [Fact]
    public void Its_own_share_of_an_ADD_is_printed()
    {
        using var agent = new FakeAgent("""{"result":{"cniVersion":"1.1.0"}}""");
        var config = agent.Config("1.1.0");
        var (plugin, nothing) = (new List<double>(), new List<double>());
        for (var i = 0; i < 30; i++)
        {
            plugin.Add(Time(() => Assert.Equal(0, Run(PluginProcess.Environment("ADD"), config).ExitCode)));
            nothing.Add(Time(() => RunProcess("/bin/true", [], "")));
        }

        plugin.Sort();
        nothing.Sort();
        log.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"ADD through ebpf-cni, an agent that answers at once: median {plugin[15]:0.0} ms; /bin/true started the same way: "
                + $"{nothing[15]:0.0} ms"));
    }

    private static double Time(Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static Outcome Run(Dictionary<string, string> environment, string input)
    {
        var process = RunProcess(Binary, environment, input);
        return new Outcome(process.ExitCode, JsonDocument.Parse(process.Output).RootElement);
    }

    private static Finished RunProcess(string file, Dictionary<string, string> environment, string input)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        if (input.Length > 0)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Finished(process.ExitCode, output);
    }

    private sealed record Finished(int ExitCode, string Output);
}
