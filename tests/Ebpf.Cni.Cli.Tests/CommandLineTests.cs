namespace Ebpf.Cni.Cli.Tests;

/// <summary>What can be typed, and what is said about what cannot.</summary>
public class CommandLineTests
{
    [Theory]
    [InlineData("status", Verb.Status)]
    [InlineData("service list", Verb.ServiceList)]
    [InlineData("service get default/web", Verb.ServiceGet)]
    [InlineData("endpoint list", Verb.EndpointList)]
    [InlineData("conntrack list", Verb.ConntrackList)]
    [InlineData("ipcache", Verb.IpcacheList)]
    [InlineData("ipcache list", Verb.IpcacheList)]
    [InlineData("probe web:80", Verb.Probe)]
    [InlineData("probe [fd00::1]:80", Verb.Probe)]
    [InlineData("probe fd00::1:80", Verb.Probe)]
    [InlineData("help", Verb.Help)]
    [InlineData("help service", Verb.Help)]
    [InlineData("service --help", Verb.Help)]
    [InlineData("-h", Verb.Help)]
    [InlineData("--version", Verb.Version)]
    [InlineData("version", Verb.Version)]
    public void Commands(string text, Verb verb) => Assert.Equal(verb, Parse(text).Verb);

    [Theory]
    [InlineData("-o json status")]
    [InlineData("status -o json")]
    [InlineData("status -ojson")]
    [InlineData("status -o=json")]
    [InlineData("status --output json")]
    [InlineData("status --output=json")]
    public void Options_may_stand_anywhere_and_be_spelled_as_kubectl_takes_them(string text) => Assert.True(Parse(text).Json);

    [Fact]
    public void Values_are_taken()
    {
        var line = Parse("conntrack list --limit 7 --client 10.0.0.1 --service default/web --run-dir /r");
        Assert.Equal((7, "10.0.0.1", "default/web", "/r", false), (line.Limit, line.Client, line.Service, line.RunDirectory, line.Json));
        Assert.Equal(TimeSpan.FromSeconds(1.5), Parse("probe web:80 --timeout 1.5").Timeout);
        Assert.Equal("default/web", Parse("service get web").Subject);
        Assert.Equal("shop/web", Parse("service get -n shop web").Subject);
        Assert.Equal("a/b", Parse("service get -n shop a/b").Subject);
    }

    [Fact]
    public void The_run_directory_is_the_options_then_the_variables_then_the_agents_default()
    {
        Assert.Equal("/run/ebpf-cni", Parse("status").RunDirectory);
        Assert.Equal("/v", CommandLine.Parse(["status"], n => n == "EBPF_CNI_RUN_DIR" ? "/v" : null).RunDirectory);
        Assert.Equal("/o", CommandLine.Parse(["status", "--run-dir=/o"], _ => "/v").RunDirectory);
        Assert.Equal("/run/ebpf-cni", CommandLine.Parse(["status"], _ => "").RunDirectory);
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
    [InlineData("status --colour", "--colour: a value is missing")]
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

    [Fact]
    public async Task Help_names_every_command_and_exit_code()
    {
        var outcome = await Outcome.OfAsync("help");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        Assert.All(
            ["status", "service list", "service get", "endpoint list", "conntrack list", "ipcache", "probe HOST:PORT", "--run-dir", "EBPF_CNI_RUN_DIR", "exit codes: 0"],
            part => Assert.Contains(part, outcome.Output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_version_is_the_assemblys() => Assert.Matches(@"^\d+\.\d+\.\d+", (await Outcome.OfAsync("--version")).Output);

    private static CommandLine Parse(string text) => CommandLine.Parse(Words(text), _ => null);

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
