using System.Net.Sockets;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>The exchange with the agent: what is asked, what is passed on, and what is said when there is no answer.</summary>
public class AgentTests
{
    private const string Ready = """{ "ready": true, "node": "n1",   "future": [1, {"a": null}] }""";

    [Theory]
    [InlineData("status", "GET /v1/status")]
    [InlineData("service list", "GET /v1/services")]
    [InlineData("service list -n shop --limit 5", "GET /v1/services?limit=5&namespace=shop")]
    [InlineData("service get shop/web", "GET /v1/services/shop/web")]
    [InlineData("endpoint list", "GET /v1/endpoints")]
    [InlineData("conntrack list --client fd00::1 --service shop/web", "GET /v1/conntrack?client=fd00%3A%3A1&service=shop%2Fweb")]
    [InlineData("ipcache", "GET /v1/ipcache")]
    public async Task A_command_is_one_question(string command, string question)
    {
        using var agent = FakeAgent.Answering(Ready);
        var outcome = await agent.RunAsync(command.Split(' '));
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        Assert.Equal([question], agent.Questions);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("service list")]
    [InlineData("service get a/b")]
    [InlineData("endpoint list")]
    [InlineData("conntrack list")]
    [InlineData("ipcache list")]
    public async Task JSON_is_the_agents_byte_for_byte(string command)
    {
        using var agent = FakeAgent.Answering(Ready);
        var outcome = await agent.RunAsync([.. command.Split(' '), "-o", "json"]);
        Assert.Equal((0, Ready), (outcome.ExitCode, outcome.Output));
    }

    [Theory]
    [InlineData("table")]
    [InlineData("json")]
    public async Task An_agent_that_is_not_ready_is_a_failure_and_is_shown_all_the_same(string output)
    {
        using var agent = FakeAgent.Answering("""{"ready":false,"notReady":["the cluster was not applied to the kernel yet"]}""");
        var outcome = await agent.RunAsync("status", "-o", output);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("the cluster was not applied to the kernel yet", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, """{"error":"neither the API nor the kernel's tables have a service a/b"}""", "have a service a/b")]
    [InlineData(503, """{"error":"not yet"}""", "ecni: not yet\n")]
    [InlineData(500, "<html>", "the agent answered 500")]
    [InlineData(500, "{}", "the agent answered 500")]
    public async Task What_the_agent_refuses_is_said_in_its_words(int status, string body, string message)
    {
        using var agent = FakeAgent.Answering(body, status);
        var outcome = await agent.RunAsync("service", "get", "a/b");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains(message, outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("null")]
    [InlineData("[1]")]
    public async Task An_answer_that_cannot_be_read_is_a_failure(string body)
    {
        using var agent = FakeAgent.Answering(body);
        var outcome = await agent.RunAsync("status");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains("cannot be read", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_answer_is_a_failure()
    {
        using var agent = FakeAgent.Silent();
        var outcome = await agent.RunAsync("status");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("broke", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_socket_the_agent_is_not_running()
    {
        var outcome = await Outcome.OfAsync("status", "--run-dir", "/nonexistent");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Equal(
            "ecni: there is no socket /nonexistent/observe.sock: the agent is not running, or has another --run-dir\n", outcome.Errors);
    }

    [Fact]
    public async Task A_socket_that_an_agent_left_behind_is_told_from_one_that_never_was()
    {
        var directory = Directory.CreateTempSubdirectory("ebc-cli-test-");
        try
        {
            var path = Path.Combine(directory.FullName, "observe.sock");
            using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                left.Bind(new UnixDomainSocketEndPoint(path + ".new"));
                File.Move(path + ".new", path);
            }

            var outcome = await Outcome.OfAsync("status", "--run-dir", directory.FullName);
            Assert.Equal((1, $"ecni: no process listens at {path}: the agent is not running\n"), (outcome.ExitCode, outcome.Errors));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_path_that_no_socket_can_have_is_told()
    {
        var outcome = await Outcome.OfAsync("status", "--run-dir", "/" + new string('x', 200));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("too long for a socket's path", outcome.Errors, StringComparison.Ordinal);
    }
}
