using System.Text.Json;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>kubectl ecni: which nodes are asked, how, and what is said of those that cannot be.</summary>
public class PluginTests
{
    private const string Ready = """{"ready":true,"node":"n"}""";

    [Theory]
    [InlineData("status", "ecni status")]
    [InlineData("service list -n shop --limit 5", "ecni service list --limit=5 --namespace=shop")]
    [InlineData("-n shop service get web", "ecni service get shop/web")]
    [InlineData("service get shop/web", "ecni service get shop/web")]
    [InlineData("endpoint list", "ecni endpoint list")]
    [InlineData("conntrack list --client fd00::1 --service a/b", "ecni conntrack list --client=fd00::1 --service=a/b")]
    [InlineData("ipcache", "ecni ipcache list")]
    [InlineData("probe web:80 --timeout 1.5", "ecni probe web:80 --timeout 1.5")]
    public async Task A_command_is_run_in_every_agents_container(string command, string words)
    {
        using var kubectl = new FakeKubectl().Answers("a", Ready).Answers("b", Ready);
        Assert.Equal("", (await kubectl.RunAsync(command.Split(' '))).Errors);
        Assert.Equal("get pods --namespace kube-system --selector app.kubernetes.io/name=ebpf-cni --output json", kubectl.Calls[0]);
        Assert.Equal(
            [.. new[] { "a", "b" }.Select(n => $"exec --namespace kube-system ebpf-cni-{n} --container agent -- {words} --output json")],
            kubectl.Calls.Skip(1).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Options_of_the_connection_are_passed_on_to_every_call()
    {
        using var kubectl = new FakeKubectl().Answers("a", Ready);
        await kubectl.RunAsync(
            "--kubeconfig", "/k", "status", "--context=prod", "-s", "https://api", "--as", "me", "--as-group", "g", "--as-group=h",
            "--insecure-skip-tls-verify", "--agent-namespace", "net", "--agent-selector", "app=agent");
        const string connection =
            "--kubeconfig=/k --context=prod --as=me --server=https://api --as-group=g --as-group=h --insecure-skip-tls-verify";
        Assert.Equal($"{connection} get pods --namespace net --selector app=agent --output json", kubectl.Calls[0]);
        Assert.StartsWith($"{connection} exec ", kubectl.Calls[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shop", "shop/web")]
    [InlineData("", "default/web")]
    public async Task A_name_alone_is_looked_for_in_the_contexts_namespace(string context, string name)
    {
        using var kubectl = new FakeKubectl().Answers("a", """{"service":"x"}""");
        kubectl.Prints("config", context);
        await kubectl.RunAsync("service", "get", "web", "--context", "prod");
        Assert.Equal("--context=prod config view --minify --output jsonpath={..namespace}", kubectl.Calls[0]);
        Assert.Contains($"ecni service get {name} ", kubectl.Calls[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_that_cannot_be_asked_are_named_and_fail_the_run()
    {
        const string ended = "\ncommand terminated with exit code 1\n";
        using var kubectl = new FakeKubectl().Answers("a", Ready).Fails("b", $"error: unable to upgrade connection{ended}")
            .Fails("c", $"ecni: there is no socket /r/observe.sock: the agent is not running{ended}").Answers("d", "garbage");
        var outcome = await kubectl.RunAsync("status");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Errors));
        Assert.EndsWith(
            """

            Not asked:
              b: unable to upgrade connection
              c: there is no socket /r/observe.sock: the agent is not running
              d: its answer cannot be read

            """, outcome.Output, StringComparison.Ordinal);
        Assert.Contains("\na     yes", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_has_each_agents_answer_as_it_is_or_why_there_is_none()
    {
        const string answer = """{"ready":false,"future":[1,{"x":"é<"}]}""";
        using var kubectl = new FakeKubectl().Answers("a", answer, exitCode: 1).Fails("b", "gone\n");
        var outcome = await kubectl.RunAsync("status", "-o", "json");
        Assert.Equal(1, outcome.ExitCode);
        using var document = JsonDocument.Parse(outcome.Output);
        var nodes = document.RootElement.GetProperty("nodes");
        Assert.Equal(("a", "kube-system/ebpf-cni-a"), (nodes[0].GetProperty("node").GetString(), nodes[0].GetProperty("pod").GetString()));
        Assert.Equal("é<", nodes[0].GetProperty("answer").GetProperty("future")[1].GetProperty("x").GetString());
        Assert.Equal(("b", "gone"), (nodes[1].GetProperty("node").GetString(), nodes[1].GetProperty("error").GetString()));
        Assert.False(document.RootElement.TryGetProperty("differences", out _));
    }

    [Fact]
    public async Task A_node_that_does_not_answer_in_time_is_left_and_its_kubectl_is_ended()
    {
        using var kubectl = new FakeKubectl().Answers("a", Ready);
        var process = kubectl.Hangs("b");
        var outcome = await kubectl.RunAsync("status", "--node-timeout", "3");
        Assert.Equal(1, outcome.ExitCode);
        Assert.EndsWith("Not asked:\n  b: no answer within 3 s (--node-timeout)\n", outcome.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(process), "its kubectl has started");
        Assert.False(Directory.Exists($"/proc/{(await File.ReadAllTextAsync(process)).Trim()}"));
    }

    [Fact]
    public async Task Some_nodes_alone_are_asked_by_their_names()
    {
        using var kubectl = new FakeKubectl().Answers("a", Ready).Answers("b", Ready).Answers("c", Ready);
        var outcome = await kubectl.RunAsync("status", "--node", "c", "--node=a");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(["NODE", "a", "c"], outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[0]));
        var absent = await kubectl.RunAsync("status", "--node", "x");
        Assert.Equal((1, "", "kubectl ecni: there is no agent's pod on x\n"), (absent.ExitCode, absent.Output, absent.Errors));
    }

    [Fact]
    public async Task A_service_that_no_node_knows_is_not_found()
    {
        const string unknown = "neither the API nor the kernel's tables have a service shop/web";
        using var kubectl = new FakeKubectl().Fails("a", $"ecni: {unknown}\n").Fails("b", $"ecni: {unknown}\n");
        var outcome = await kubectl.RunAsync("-n", "shop", "service", "get", "web");
        Assert.Equal((1, "", $"kubectl ecni: {unknown}\n"), (outcome.ExitCode, outcome.Output, outcome.Errors));
    }

    [Fact]
    public async Task Where_no_agents_are_the_options_that_say_where_are_named()
    {
        using var kubectl = new FakeKubectl();
        var outcome = await kubectl.RunAsync("status");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("kube-system has no pods", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("(--agent-namespace, --agent-selector)", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_kubectl_says_when_it_fails_is_shown()
    {
        using var kubectl = new FakeKubectl();
        kubectl.Refuses("get", "The connection to the server localhost:8080 was refused\n");
        var outcome = await kubectl.RunAsync("status");
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith(
            "The connection to the server localhost:8080 was refused\nkubectl ecni: the agents' pods cannot be listed", outcome.Errors,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_kubectl_it_says_so()
    {
        var outcome = await Outcome.OfAsync("kubectl-ecni", ["status"], name => name == "PATH" ? "relative:/nonexistent" : null);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("kubectl ecni: kubectl is not on PATH; the variable KUBECTL names another one\n", outcome.Errors);
        var broken = await Outcome.OfAsync("kubectl-ecni", ["status"], name => name == "KUBECTL" ? Repository.Root : null);
        Assert.Equal(1, broken.ExitCode);
        Assert.Contains("cannot be started", broken.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status --run-dir /r", "--run-dir: no such option")]
    [InlineData("status --parallel 0", "--parallel: '0' is not a number from 1 to 256")]
    [InlineData("status --node-timeout soon", "--node-timeout: 'soon' is not a number of seconds")]
    [InlineData("stauts", "stauts: no such command")]
    public async Task What_is_wrong_is_told_and_no_cluster_is_asked(string command, string message)
    {
        using var kubectl = new FakeKubectl();
        var outcome = await kubectl.RunAsync(command.Split(' '));
        Assert.Equal((2, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains($"kubectl ecni: {message}", outcome.Errors, StringComparison.Ordinal);
        Assert.Empty(kubectl.Calls);
    }

    [Fact]
    public async Task Names_of_nodes_are_completed()
    {
        using var kubectl = new FakeKubectl().Answers("node-a", Ready).Answers("node-b", Ready).Answers("other", Ready);
        string[] words = ["status", "--context", "prod", "--node", "node-"];
        Assert.Equal("node-a\nnode-b\n:4\n", (await kubectl.RunAsync(CliRun.PluginCompletionName, words)).Output);
        Assert.StartsWith("--context=prod get pods ", Assert.Single(kubectl.Calls), StringComparison.Ordinal);
        kubectl.Refuses("get", "refused\n");
        Assert.Equal(new Outcome(0, ":4\n", ""), await kubectl.RunAsync(CliRun.PluginCompletionName, words));
    }
}
