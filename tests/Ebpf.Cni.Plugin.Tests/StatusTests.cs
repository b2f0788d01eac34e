using System.Text;
using Ebpf.Cni.Protocol.Cni;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>STATUS while the agent is away: what it said last counts, for a while.</summary>
public sealed class StatusTests : IDisposable
{
    private readonly DirectoryInfo _run = Directory.CreateTempSubdirectory("ebc-status-test-");
    private readonly FakeTimeProvider _time = new();

    private string Socket => Path.Combine(_run.FullName, "cni.sock");

    private string File => LastStatus.PathBeside(Socket);

    public void Dispose() => _run.Delete(recursive: true);

    [Fact]
    public void An_agent_that_is_being_replaced_makes_no_node_unready()
    {
        Write(null);
        Assert.Equal((0, "{}"), (Ask().ExitCode, Ask().Document.GetRawText()));
        _time.Advance(LastStatus.TrustedFor);
        Assert.Equal(0, Ask().ExitCode);
    }

    [Fact]
    public void One_that_stays_away_does()
    {
        Write(null);
        _time.Advance(LastStatus.TrustedFor + TimeSpan.FromSeconds(1));
        var outcome = Ask();
        Assert.Equal((1, CniErrorCode.PluginNotAvailable), (outcome.ExitCode, outcome.Code));
        Assert.Contains("not reachable", outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_never_was_there_does() => Assert.Equal(CniErrorCode.PluginNotAvailable, Ask().Code);

    [Fact]
    public void What_was_wrong_before_is_wrong_still()
    {
        Write(new CniException(CniErrorCode.PluginNotAvailableLimited, "behind the cluster", "why"));
        var outcome = Ask();
        Assert.Equal((1, CniErrorCode.PluginNotAvailableLimited, "behind the cluster"), (outcome.ExitCode, outcome.Code, outcome.Message));
    }

    [Fact]
    public void An_agent_that_answers_is_believed_before_its_file()
    {
        using var agent = new FakeAgent("""{"error":{"code":50,"msg":"no podCIDR"}}""");
        System.IO.File.WriteAllBytes(LastStatus.PathBeside(agent.SocketPath), LastStatus.Now(_time, null).ToJson());
        Assert.Equal(
            CniErrorCode.PluginNotAvailable,
            PluginProcess.Run(PluginProcess.Environment("STATUS"), agent.Config("1.1.0"), time: _time).Code);
    }

    [Fact]
    public void An_agent_that_dies_over_it_is_away()
    {
        using var agent = new FakeAgent("");
        System.IO.File.WriteAllBytes(LastStatus.PathBeside(agent.SocketPath), LastStatus.Now(_time, null).ToJson());
        Assert.Equal(0, PluginProcess.Run(PluginProcess.Environment("STATUS"), agent.Config("1.1.0"), time: _time).ExitCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"at\":\"now\",\"code\":0,\"msg\":\"\",\"details\":\"\"}")]
    [InlineData("{\"at\":1e99,\"code\":0,\"msg\":\"\",\"details\":\"\"}")]
    [InlineData("{\"at\":9223372036854775807,\"code\":0,\"msg\":\"\",\"details\":\"\"}")] // of another boot
    public void What_is_no_status_is_none(string text)
    {
        System.IO.File.WriteAllBytes(File, Encoding.UTF8.GetBytes(text));
        Assert.Equal(CniErrorCode.PluginNotAvailable, Ask().Code);
    }

    [Fact]
    public void Other_commands_do_not_look_at_it()
    {
        Write(null);
        Assert.Equal(
            CniErrorCode.TryAgainLater,
            PluginProcess.Run(PluginProcess.Environment("ADD"), FakeAgent.Config("1.1.0", Socket), time: _time).Code);
    }

    private void Write(CniException? error) => System.IO.File.WriteAllBytes(File, LastStatus.Now(_time, error).ToJson());

    private Outcome Ask() => PluginProcess.Run(PluginProcess.Environment("STATUS"), FakeAgent.Config("1.1.0", Socket), time: _time);
}
