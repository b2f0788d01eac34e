using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>What can be typed, and what is said about what cannot.</summary>
public class CommandLineTests
{
    [Theory]
    [InlineData("-o json status")]
    [InlineData("status -o json")]
    [InlineData("status -ojson")]
    [InlineData("status -o=json")]
    [InlineData("status --output json")]
    [InlineData("status --output=json")]
    public async Task Options_may_stand_anywhere_and_be_spelled_as_kubectl_takes_them(string text)
    {
        using var agent = FakeAgent.Answering("{ }");
        Assert.Equal("{ }", (await agent.RunAsync(Words(text))).Output);
    }

    [Theory]
    [InlineData("conntrack list --limit 7 --client 10.0.0.1 --service a/b", "/v1/conntrack?limit=7&client=10.0.0.1&service=a%2Fb")]
    [InlineData("--limit 7 service -n shop list", "/v1/services?limit=7&namespace=shop")]
    [InlineData("ipcache --limit=3", "/v1/ipcache?limit=3")]
    [InlineData("ipcache list --limit 3", "/v1/ipcache?limit=3")]
    [InlineData("service get web", "/v1/services/default/web")]
    [InlineData("-n shop service get web", "/v1/services/shop/web")]
    [InlineData("service get -nshop web", "/v1/services/shop/web")]
    [InlineData("service get -n shop a/b", "/v1/services/a/b")]
    public async Task Values_are_taken(string text, string path)
    {
        using var agent = FakeAgent.Answering("{}");
        Assert.Equal("", (await agent.RunAsync(Words(text))).Errors);
        Assert.Equal([$"GET {path}"], agent.Questions);
    }

    [Fact]
    public async Task The_run_directory_is_the_options_then_the_variables_then_the_agents_default()
    {
        using var agent = FakeAgent.Answering("""{"ready":true}""");
        Assert.Equal(0, (await Outcome.OfAsync("ecni", ["status"], _ => agent.RunDirectory)).ExitCode);
        Assert.Equal(0, (await Outcome.OfAsync("ecni", ["status", $"--run-dir={agent.RunDirectory}"], _ => "/v")).ExitCode);
        Assert.Contains("/v/observe.sock", (await Outcome.OfAsync("ecni", ["status"], _ => "/v")).Errors, StringComparison.Ordinal);
        var help = await Outcome.OfAsync("ecni", ["help"], _ => "");
        Assert.Contains(ObservePaths.DefaultRunDirectory, help.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "a command is missing")]
    [InlineData("stauts", "stauts: no such command")]
    [InlineData("service", "list or get is missing")]
    [InlineData("service delete x", "service delete: no such command")]
    [InlineData("endpoint", "endpoint: list is missing")]
    [InlineData("ipcache get", "ipcache get: no such command")]
    [InlineData("status now", "now: one word too many")]
    [InlineData("service get", "NAMESPACE/NAME is missing")]
    [InlineData("service get a/b/c", "'a/b/c' is not NAMESPACE/NAME")]
    [InlineData("service get /", "'/' is not NAMESPACE/NAME")]
    [InlineData("status -o yaml", "'yaml' is neither table nor json")]
    [InlineData("status -o", "-o: a value is missing")]
    [InlineData("status --colour", "--colour: no such option")]
    [InlineData("status --run-dir=", "--run-dir: a value is missing")]
    [InlineData("--limit 3 status", "--limit is not an option of status")]
    [InlineData("status --limit=3", "--limit is not an option of status")]
    [InlineData("completion", "completion: bash or zsh is missing")]
    [InlineData("status --colour yes", "--colour: no such option")]
    [InlineData("status --limit 3", "--limit is not an option of status")]
    [InlineData("service list --client x", "--client is not an option of service list")]
    [InlineData("service list --limit 0", "'0' is not a number")]
    [InlineData("service list --limit 1000000", "is not a number from 1 to")]
    [InlineData("conntrack list --service web", "'web' is not NAMESPACE/NAME")]
    [InlineData("probe", "HOST:PORT is missing")]
    [InlineData("probe web", "'web' is not HOST:PORT")]
    [InlineData("probe web:0", "'web:0' is not HOST:PORT")]
    [InlineData("probe web:65536", "'web:65536' is not HOST:PORT")]
    [InlineData("probe :80", "':80' is not HOST:PORT")]
    [InlineData("probe a:b:80", "'a:b:80' is not HOST:PORT")]
    [InlineData("probe web:80 --timeout never", "'never' is not a number of seconds")]
    public async Task What_is_wrong_is_told_and_nothing_is_asked(string text, string message)
    {
        var outcome = await Outcome.OfAsync(Words(text));
        Assert.Equal((2, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains(message, outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("ecni help", outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stauts", "status")]
    [InlineData("service lst", "list")]
    [InlineData("status --outptu json", "--output")]
    [InlineData("servce list", "service")]
    public async Task What_may_have_been_meant_is_suggested(string text, string suggestion) =>
        Assert.Contains($"\n{suggestion}\n", (await Outcome.OfAsync(Words(text))).Errors, StringComparison.Ordinal);

    [Theory]
    [InlineData("help")]
    [InlineData("-h")]
    [InlineData("--help")]
    [InlineData("-o nonsense --help")]
    public async Task Help_names_every_command_and_exit_code(string text)
    {
        var outcome = await Outcome.OfAsync(Words(text));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        Assert.All(
            ["status", "service list", "service get", "endpoint list", "conntrack list", "ipcache", "probe HOST:PORT", "--run-dir",
                "EBPF_CNI_RUN_DIR", "exit codes: 0"],
            part => Assert.Contains(part, outcome.Output, StringComparison.Ordinal));
        Assert.All(outcome.Output.Split('\n'), line => Assert.InRange(line.Length, 0, Terminal.WidthDefault));
    }

    [Theory]
    [InlineData("help service get")]
    [InlineData("service get --help")]
    [InlineData("service get -h")]
    public async Task Help_for_a_command_names_what_it_takes_and_no_more(string text)
    {
        var outcome = await Outcome.OfAsync(Words(text));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        Assert.Contains("ecni service get <NAMESPACE/NAME> [options]", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("--namespace", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--client", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("version")]
    [InlineData("status --version")]
    public async Task The_version_is_the_assemblys(string text)
    {
        var outcome = await Outcome.OfAsync(Words(text));
        Assert.Equal((0, CliVersion.Text + "\n"), (outcome.ExitCode, outcome.Output));
        Assert.Matches(@"^\d+\.\d+\.\d+", outcome.Output);
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
