using Ebpf.Cni.Cli.Reporting;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>What people see of fixed answers: golden/NAME.json in, golden/NAME.txt out. UPDATE_GOLDEN=DIR writes the texts there.</summary>
public class RenderingTests
{
    private const int ScreenLines = 45;

    public static TheoryData<string, string> Cases => new()
    {
        { "status", "status" }, { "status-starting", "status" }, { "services", "service list" }, { "service", "service get default/web" },
        { "service-diverged", "service get default/web" }, { "endpoints", "endpoint list" }, { "conntrack", "conntrack list" },
        { "ipcache", "ipcache list" },
    };

    [Theory, MemberData(nameof(Cases))]
    public async Task Text_is_as_it_was(string name, string command)
    {
        var outcome = await Render(name, command);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is { Length: > 0 } directory)
            await File.WriteAllTextAsync(Path.Combine(directory, $"{name}.txt"), outcome.Output);
        else
            Assert.Equal(await File.ReadAllTextAsync(Golden($"{name}.txt")), outcome.Output);
    }

    [Fact]
    public async Task A_status_with_everything_in_it_fits_on_a_screen()
    {
        var lines = (await Render("status", "status")).Output.TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 20, ScreenLines);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, Terminal.WidthDefault));
    }

    [Theory]
    [InlineData("service list", "no frontends\n")]
    [InlineData("endpoint list", "no pods on this node\n")]
    [InlineData("ipcache list", "no prefixes: everything counts as outside the cluster\n")]
    public async Task Nothing_is_said_in_words(string command, string text)
    {
        using var agent = FakeAgent.Answering("{}");
        Assert.Equal(text, (await agent.RunAsync(command.Split(' '))).Output);
    }

    [Fact]
    public async Task An_agent_of_another_version_is_told()
    {
        using var agent = FakeAgent.Answering("""{"version":"9.9.9+0123456789abcdef","ready":true}""");
        var first = (await agent.RunAsync("status")).Output.Split('\n')[0];
        Assert.Contains("9.9.9+01234567 on", first, StringComparison.Ordinal);
        Assert.Contains($"(this ecni is {Words.Version(CliVersion.Text)})", first, StringComparison.Ordinal);

        using var same = FakeAgent.Answering($$"""{"version":"{{Words.Release(CliVersion.Text)}}+ffff","ready":true}""");
        Assert.DoesNotContain("this ecni", (await same.RunAsync("status")).Output, StringComparison.Ordinal);
    }

    /// <summary>The agent's version is this one's; in the text it is a word that does not change.</summary>
    private static async Task<Outcome> Render(string name, string command)
    {
        var answer = await File.ReadAllTextAsync(Golden($"{name}.json"));
        using var agent = FakeAgent.Answering(answer.Replace("9.9.9", CliVersion.Text, StringComparison.Ordinal));
        var outcome = await agent.RunAsync(command.Split(' '));
        return outcome with { Output = outcome.Output.Replace(Words.Version(CliVersion.Text), "VERSION", StringComparison.Ordinal) };
    }

    private static string Golden(string file) => Path.Combine(AppContext.BaseDirectory, "golden", file);
}
