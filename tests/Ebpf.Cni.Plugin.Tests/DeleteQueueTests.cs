using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>A DEL while no agent answers is written down, and is a success.</summary>
public sealed class DeleteQueueTests : IDisposable
{
    private readonly DirectoryInfo _run = Directory.CreateTempSubdirectory("ebc-queue-test-");

    private string Socket => Path.Combine(_run.FullName, "cni.sock");

    private string Queue => Path.Combine(_run.FullName, PendingDelete.DirectoryName);

    public void Dispose() => _run.Delete(recursive: true);

    [Fact]
    public void It_is_written_once_for_root_alone_and_says_whose_it_is()
    {
        for (var repeated = 0; repeated < 2; repeated++)
        {
            var outcome = PluginProcess.Run(PluginProcess.Environment("DEL"), FakeAgent.Config("1.0.0", Socket));
            Assert.Equal((0, "{}"), (outcome.ExitCode, outcome.Document.GetRawText()));
        }

        var file = Assert.Single(Directory.GetFiles(Queue));
        Assert.Equal(new PendingDelete("c0ffee-1", "eth0"), PendingDelete.Parse(File.ReadAllBytes(file)));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Queue));
    }

    [Fact]
    public void An_agent_that_answers_makes_a_queue_needless()
    {
        using var agent = new FakeAgent("{}");
        Assert.Equal(0, PluginProcess.Run(PluginProcess.Environment("DEL"), agent.Config()).ExitCode);
        Assert.False(Directory.Exists(PendingDelete.DirectoryBeside(agent.SocketPath)));
    }

    [Fact]
    public void An_agent_that_dies_over_it_has_it_queued()
    {
        using var agent = new FakeAgent("");
        Assert.Equal(0, PluginProcess.Run(PluginProcess.Environment("DEL"), agent.Config()).ExitCode);
        Assert.Single(Directory.GetFiles(PendingDelete.DirectoryBeside(agent.SocketPath)));
        Assert.Equal(2, agent.Requests.Count);
    }

    [Fact]
    public void An_agent_that_refuses_it_has_its_error_told_and_nothing_queued()
    {
        using var agent = new FakeAgent("""{"error":{"code":101,"msg":"no"}}""");
        Assert.Equal(101, PluginProcess.Run(PluginProcess.Environment("DEL"), agent.Config()).Code);
        Assert.False(Directory.Exists(PendingDelete.DirectoryBeside(agent.SocketPath)));
    }

    [Fact]
    public void The_queue_is_bounded()
    {
        Directory.CreateDirectory(Queue);
        for (var i = 0; i < PendingDelete.FilesMax; i++)
            File.WriteAllText(Path.Combine(Queue, $"{i}.json"), "");
        var outcome = PluginProcess.Run(PluginProcess.Environment("DEL"), FakeAgent.Config("1.0.0", Socket));
        Assert.Equal((1, CniErrorCode.TryAgainLater), (outcome.ExitCode, outcome.Code));
        Assert.Equal(PendingDelete.FilesMax, Directory.GetFiles(Queue).Length);
    }

    [Fact]
    public void A_queue_that_cannot_be_written_is_an_error()
    {
        File.WriteAllText(Queue, "a file");
        var outcome = PluginProcess.Run(PluginProcess.Environment("DEL"), FakeAgent.Config("1.0.0", Socket));
        Assert.Equal((1, CniErrorCode.TryAgainLater), (outcome.ExitCode, outcome.Code));
        Assert.Contains("queued", outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_commands_are_not_queued()
    {
        foreach (var command in new[] { "ADD", "CHECK", "GC", "STATUS" })
            Assert.Equal(1, PluginProcess.Run(PluginProcess.Environment(command), FakeAgent.Config("1.1.0", Socket)).ExitCode);
        Assert.False(Directory.Exists(Queue));
    }
}
