using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>What goes to the agent, and what becomes of its answer.</summary>
public class ForwardingTests
{
    [Theory]
    [InlineData("ADD", "")]
    [InlineData("ADD", "0.1.0")]
    [InlineData("ADD", "0.2.0")]
    [InlineData("ADD", "0.3.0")]
    [InlineData("ADD", "0.3.1")]
    [InlineData("DEL", "0.4.0")]
    [InlineData("CHECK", "1.0.0")]
    [InlineData("STATUS", "1.1.0")]
    [InlineData("GC", "1.1.0")]
    public void A_command_reaches_the_agent_with_everything_the_runtime_said(string command, string version)
    {
        using var agent = new FakeAgent("{}");
        var outcome = PluginProcess.Run(PluginProcess.Environment(command), agent.Config(version));

        Assert.Equal((0, "{}"), (outcome.ExitCode, outcome.Document.GetRawText()));
        var request = Assert.Single(agent.Requests).RootElement;
        Assert.Equal(command, request.GetProperty("command").GetString());
        Assert.Equal("c0ffee-1", request.GetProperty("containerId").GetString());
        Assert.Equal("/var/run/netns/test", request.GetProperty("netns").GetString());
        Assert.Equal("eth0", request.GetProperty("ifname").GetString());
        Assert.Equal("K8S_POD_NAME=web", request.GetProperty("args").GetString());
        Assert.Equal("/opt/cni/bin", request.GetProperty("path").GetString());
        Assert.Equal(version, request.GetProperty("config").GetProperty("cniVersion").GetString());
        Assert.Equal("""[1,{"a":null}]""", request.GetProperty("config").GetProperty("extra").GetRawText());
    }

    [Fact]
    public void The_result_is_printed_as_it_came()
    {
        using var agent = new FakeAgent("""{"note":{"x":[1]},"result":{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/32"}]}}""");
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), agent.Config());
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal("""{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/32"}]}""", outcome.Document.GetRawText());
    }

    [Fact]
    public void The_agents_error_becomes_the_plugins_in_the_requests_version()
    {
        using var agent = new FakeAgent("""{"error":{"code":102,"msg":"no free address","details":"10.0.0.0/24","more":[]}}""");
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), agent.Config("0.4.0"));
        Assert.Equal(
            """{"cniVersion":"0.4.0","code":102,"msg":"no free address","details":"10.0.0.0/24"}""", outcome.Document.GetRawText());
        Assert.Equal(1, outcome.ExitCode);
    }

    [Theory]
    [InlineData("", CniErrorCode.IoFailure)]
    [InlineData("[]", CniErrorCode.DecodingFailure)]
    [InlineData("{\"result\":{\"ips\":[", CniErrorCode.DecodingFailure)]
    [InlineData("{\"error\":7}", CniErrorCode.DecodingFailure)]
    [InlineData("{\"error\":{\"code\":\"x\"}}", CniErrorCode.DecodingFailure)]
    [InlineData("{\"result\":{}} trailing", CniErrorCode.DecodingFailure)]
    public void An_answer_that_is_none_is_an_error(string answer, int code)
    {
        using var agent = new FakeAgent(answer);
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), agent.Config());
        Assert.Equal((1, code), (outcome.ExitCode, outcome.Code));
    }

    [Theory]
    [InlineData("ADD")]
    [InlineData("DEL")]
    public void Without_an_agent_the_runtime_is_told_to_try_again(string command)
    {
        var outcome = PluginProcess.Run(PluginProcess.Environment(command), FakeAgent.Config("1.0.0", "/nonexistent/cni.sock"));
        Assert.Equal((1, CniErrorCode.TryAgainLater), (outcome.ExitCode, outcome.Code));
        Assert.Contains("/nonexistent", outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Members_are_read_in_any_case_and_null_is_nothing()
    {
        using var agent = new FakeAgent("{}");
        var outcome = PluginProcess.Run(
            PluginProcess.Environment("ADD"),
            $$"""{"CNIVersion":null,"Name":"k8s","type":"ebpf-cni","AGENTSOCKET":"{{agent.SocketPath}}"}""");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Single(agent.Requests);
    }

    [Fact]
    public void Without_a_socket_in_the_configuration_the_agent_is_looked_for_where_it_usually_is()
    {
        using var agent = new FakeAgent("{}");
        Assert.Equal(
            0, PluginProcess.Run(PluginProcess.Environment("ADD"), """{"cniVersion":"1.0.0","name":"n"}""", agent.SocketPath).ExitCode);
        Assert.Single(agent.Requests);
        var unanswered = PluginProcess.Run(PluginProcess.Environment("ADD"), """{"cniVersion":"1.0.0","name":"n"}""");
        Assert.Equal(CniErrorCode.TryAgainLater, unanswered.Code);
        Assert.Contains(PluginProcess.Nowhere, unanswered.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_socket_path_that_no_socket_can_have_is_an_error()
    {
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), FakeAgent.Config("1.0.0", "/" + new string('a', 300)));
        Assert.Equal((1, CniErrorCode.TryAgainLater), (outcome.ExitCode, outcome.Code));
    }
}
