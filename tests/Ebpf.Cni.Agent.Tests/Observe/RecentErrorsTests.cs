using Ebpf.Cni.Agent.Observe;
using Serilog;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>The log's last warnings and errors, through Serilog as the agent has it.</summary>
public sealed class RecentErrorsTests : IDisposable
{
    private readonly RecentErrors _errors = new(most: 3);
    private readonly Serilog.Core.Logger _log;

    public RecentErrorsTests() => _log = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(_errors).CreateLogger();

    public void Dispose() => _log.Dispose();

    [Fact]
    public void Warnings_and_errors_are_kept_newest_first_and_all_else_is_not()
    {
        _log.Information("nothing");
        _log.Warning("{What} is {State}", "eth0", "down");
        _log.Error(new InvalidOperationException("why"), "it failed");
        _log.Debug("nothing");
        Assert.Equal(
            [("Error", "it failed (InvalidOperationException: why)", 1), ("Warning", "eth0 is down", 1)],
            _errors.All.Select(e => (e.Level, e.Message, e.Count)));
    }

    [Fact]
    public void One_that_comes_again_is_counted_and_pushes_nothing_out()
    {
        _log.Warning("first");
        for (var i = 0; i < 100; i++)
            _log.Error("again and again");
        _log.Warning("last");
        Assert.Equal([("last", 1), ("again and again", 100), ("first", 1)], _errors.All.Select(e => (e.Message, e.Count)));
    }

    [Fact]
    public void The_oldest_makes_room()
    {
        for (var i = 0; i < 10; i++)
            _log.Warning("line {Number}", i);
        Assert.Equal(["line 9", "line 8", "line 7"], _errors.All.Select(e => e.Message));
    }

    [Fact]
    public void A_long_one_is_cut()
    {
        _log.Error("{Text}", new string('x', 100_000));
        Assert.InRange(Assert.Single(_errors.All).Message.Length, 100, 2000);
    }
}
