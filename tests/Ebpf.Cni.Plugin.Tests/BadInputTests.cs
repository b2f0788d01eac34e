using System.Text;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>Whatever comes in: one JSON document with the specification's code, exit code 1, and no word to an agent.</summary>
public class BadInputTests
{
    [Theory]
    [InlineData("CNI_COMMAND", "")]
    [InlineData("CNI_COMMAND", "add")]
    [InlineData("CNI_CONTAINERID", "")]
    [InlineData("CNI_CONTAINERID", "../x")]
    [InlineData("CNI_CONTAINERID", "-x")]
    [InlineData("CNI_CONTAINERID", "ä")]
    [InlineData("CNI_IFNAME", "")]
    [InlineData("CNI_IFNAME", ".")]
    [InlineData("CNI_IFNAME", "..")]
    [InlineData("CNI_IFNAME", "a/b")]
    [InlineData("CNI_IFNAME", "a:b")]
    [InlineData("CNI_IFNAME", "a b")]
    [InlineData("CNI_IFNAME", "sixteen-letters-")]
    [InlineData("CNI_NETNS", "")]
    [InlineData("CNI_NETNS", "relative")]
    public void A_bad_variable_is_named(string variable, string value)
    {
        using var agent = new FakeAgent("{}");
        var environment = PluginProcess.Environment("ADD");
        environment[variable] = value;
        var outcome = PluginProcess.Run(environment, agent.Config());
        Assert.Equal((1, CniErrorCode.InvalidEnvironment), (outcome.ExitCode, outcome.Code));
        Assert.Contains(variable, outcome.Message, StringComparison.Ordinal);
        Assert.Empty(agent.Requests);
    }

    [Fact]
    public void All_bad_variables_are_named_at_once()
    {
        var outcome = PluginProcess.Run(new() { ["CNI_COMMAND"] = "ADD" }, "{}");
        Assert.All(["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"],
            name => Assert.Contains(name, outcome.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_DEL_needs_no_namespace()
    {
        using var agent = new FakeAgent("{}");
        var environment = PluginProcess.Environment("DEL");
        environment["CNI_NETNS"] = "";
        Assert.Equal(0, PluginProcess.Run(environment, agent.Config()).ExitCode);
    }

    [Theory]
    [InlineData("", CniErrorCode.DecodingFailure)]
    [InlineData("garbage", CniErrorCode.DecodingFailure)]
    [InlineData("[]", CniErrorCode.DecodingFailure)]
    [InlineData("{\"cniVersion\":\"1.0.0\"", CniErrorCode.DecodingFailure)]
    [InlineData("{\"cniVersion\":\"1.0.0\"} {}", CniErrorCode.DecodingFailure)]
    [InlineData("{\"cniVersion\":\"1.0.0\",\"name\":\"\\ud800\"}", CniErrorCode.DecodingFailure)]
    [InlineData("{\"cniVersion\":7}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{\"cniVersion\":\"0.2.0\"}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{\"cniVersion\":\"1.0\"}", CniErrorCode.IncompatibleVersion)]
    [InlineData("{\"cniVersion\":\"0.4.0\",\"CNIVersion\":\"9\"}", CniErrorCode.IncompatibleVersion)]
    [InlineData("{\"cniVersion\":\"2.0.0\"}", CniErrorCode.IncompatibleVersion)]
    [InlineData("{\"cniVersion\":\"1.0.0\"}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{\"cniVersion\":\"1.0.0\",\"name\":null}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"agentSocket\":\"x\"}", CniErrorCode.InvalidNetworkConfig)]
    public void A_bad_configuration_has_its_code(string input, int code)
    {
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), input);
        Assert.Equal((1, code), (outcome.ExitCode, outcome.Code));
        Assert.NotEmpty(outcome.Message);
    }

    [Theory]
    [InlineData("CHECK", "0.3.1")]
    [InlineData("CHECK", "")]
    [InlineData("CHECK", "0.1.0")]
    [InlineData("STATUS", "1.0.0")]
    [InlineData("GC", "0.4.0")]
    public void A_command_unknown_to_the_version_is_refused(string command, string version)
    {
        using var agent = new FakeAgent("{}");
        var outcome = PluginProcess.Run(PluginProcess.Environment(command), agent.Config(version));
        Assert.Equal((1, CniErrorCode.IncompatibleVersion), (outcome.ExitCode, outcome.Code));
    }

    [Fact]
    public void Endless_input_is_cut_off()
    {
        var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), new byte[PluginRun.InputMax + 1]);
        Assert.Equal((1, CniErrorCode.DecodingFailure), (outcome.ExitCode, outcome.Code));
    }

    [Fact]
    public void Random_damage_to_a_configuration_always_gives_one_document()
    {
        var random = new Random(Seed.Next());
        var good = Encoding.UTF8.GetBytes(FakeAgent.Config("1.0.0", "/nonexistent/cni.sock"));
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = good[..random.Next(good.Length + 1)];
            for (var n = random.Next(4); n > 0 && bytes.Length > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var outcome = PluginProcess.Run(PluginProcess.Environment("ADD"), bytes);
            Assert.Equal(1, outcome.ExitCode);
            Assert.True(outcome.Code is CniErrorCode.DecodingFailure or CniErrorCode.IncompatibleVersion
                or CniErrorCode.InvalidNetworkConfig or CniErrorCode.TryAgainLater, $"code {outcome.Code}: {Convert.ToHexString(bytes)}");
        }
    }
}
