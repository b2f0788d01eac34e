using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>
/// A DEL fails for nothing that stays as it is when it is tried again: the pod would stay in Terminating for ever, and with it what the
/// plugins before us made for it.
/// </summary>
public class DeleteTests
{
    [Theory]
    [InlineData("""{"type":"ebpf-cni"}""")]
    [InlineData("""{"cniVersion":"1.0.0","type":"ebpf-cni"}""")]
    [InlineData("""{"cniVersion":"0.2.0","name":"x","type":"ebpf-cni"}""")]
    [InlineData("""{"cniVersion":"0.3.0","name":"x","type":"ebpf-cni"}""")]
    [InlineData("""{"cniVersion":"9.9.9","name":"x","type":"ebpf-cni"}""")]
    [InlineData("""{"cniVersion":7,"name":[],"agentSocket":{}}""")]
    [InlineData("""{"cniVersion":"1.0.0","name":"x","agentSocket":"relative"}""")]
    [InlineData("""{"cniVersion":"1.0.0","name":"x","prevResult":""")]
    [InlineData("[]")]
    [InlineData("garbage")]
    [InlineData("")]
    public void Whatever_the_configuration_lacks_the_agent_is_asked(string config)
    {
        using var agent = new FakeAgent("{}");
        var outcome = PluginProcess.Run(PluginProcess.Environment("DEL"), config, agent.SocketPath);
        Assert.Equal((0, "{}"), (outcome.ExitCode, outcome.Document.GetRawText()));
        var request = Assert.Single(agent.Requests).RootElement;
        Assert.Equal(
            ("DEL", "c0ffee-1", "eth0"),
            (request.GetProperty("command").GetString(), request.GetProperty("containerId").GetString(),
                request.GetProperty("ifname").GetString()));
    }

    [Fact]
    public void What_the_damaged_rest_still_says_counts()
    {
        using var agent = new FakeAgent("{}");
        var config = FakeAgent.Config("9.9.9", agent.SocketPath);
        Assert.Equal(0, PluginProcess.Run(PluginProcess.Environment("DEL"), config[..^3]).ExitCode);
        Assert.Single(agent.Requests);
    }

    [Fact]
    public void Endless_input_is_cut_off_and_the_agent_asked()
    {
        using var agent = new FakeAgent("{}");
        Assert.Equal(0, PluginProcess.Run(PluginProcess.Environment("DEL"), new byte[2 * PluginRun.InputMax], agent.SocketPath).ExitCode);
        Assert.Single(agent.Requests);
    }

    [Theory]
    [InlineData("CNI_NETNS", "relative")]
    [InlineData("CNI_ARGS", null)]
    [InlineData("CNI_PATH", null)]
    public void What_it_does_not_need_may_be_anything(string variable, string? value)
    {
        using var agent = new FakeAgent("{}");
        var environment = PluginProcess.Environment("DEL");
        environment[variable] = value ?? new string(';', CniNames.VariableMax + 1);
        Assert.Equal(0, PluginProcess.Run(environment, agent.Config()).ExitCode);
    }

    [Theory]
    [InlineData("CNI_CONTAINERID")]
    [InlineData("CNI_IFNAME")]
    public void Without_the_attachments_names_there_is_nothing_to_delete(string variable)
    {
        using var agent = new FakeAgent("{}");
        var environment = PluginProcess.Environment("DEL");
        environment[variable] = "";
        Assert.Equal(CniErrorCode.InvalidEnvironment, PluginProcess.Run(environment, agent.Config()).Code);
        Assert.Empty(agent.Requests);
    }

    [Fact]
    public void An_agent_that_cannot_be_found_is_an_error_that_names_where_it_was_looked_for()
    {
        var outcome = PluginProcess.Run(PluginProcess.Environment("DEL"), "{}");
        Assert.Equal((1, CniErrorCode.TryAgainLater), (outcome.ExitCode, outcome.Code));
        Assert.Contains("/nonexistent", outcome.Message, StringComparison.Ordinal);
    }
}
