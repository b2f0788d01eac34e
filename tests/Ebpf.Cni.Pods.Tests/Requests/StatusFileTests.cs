using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>What the agent leaves for the plugin to answer STATUS with.</summary>
public sealed class StatusFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FakeTimeProvider _time = new();
    private readonly KeptLog<StatusFile> _log = new();
    private readonly CancellationTokenSource _stop = new();
    private CniException? _trouble;

    private string Path => LastStatus.PathBeside(_directory["cni.sock"]);

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task It_follows_and_is_believed_for_a_while_after_the_agents_death()
    {
        var running = Start();
        Assert.Equal(0, LastStatus.Read(Path, _time)!.Code);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        _trouble = new CniException(CniErrorCode.PluginNotAvailableLimited, "behind", "details");
        _time.Advance(LastStatus.Period);
        await Eventually.True(
            () => LastStatus.Read(Path, _time) is { Code: CniErrorCode.PluginNotAvailableLimited, Message: "behind", Details: "details" },
            "it is told");
        _trouble = null;
        _time.Advance(LastStatus.Period);
        await Eventually.True(() => LastStatus.Read(Path, _time)!.Code == 0, "and over");
        await _stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        _time.Advance(LastStatus.TrustedFor);
        Assert.NotNull(LastStatus.Read(Path, _time));
        _time.Advance(LastStatus.Period);
        Assert.Null(LastStatus.Read(Path, _time));
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_told_once_and_stops_nothing()
    {
        Directory.CreateDirectory(Path); // a file cannot replace a directory
        var running = Start();
        for (var i = 0; i < 3; i++)
            _time.Advance(LastStatus.Period);
        Directory.Delete(Path);
        await Eventually.True(
            () =>
            {
                _time.Advance(LastStatus.Period);
                return File.Exists(Path);
            },
            "it is written once it can be");
        Assert.False(running.IsCompleted);
        Assert.Single(_log.Lines);
    }

    private Task Start() => new StatusFile(Path, () => _trouble, _time, _log).RunAsync(_stop.Token);
}
