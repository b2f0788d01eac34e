using Ebpf.Cni.Sync.Loop;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>When the loop applies, and how often at most.</summary>
public class FrequencyTests
{
    [Fact]
    public async Task A_lone_change_after_quiet_is_applied_before_any_time_passes()
    {
        await using var loop = await RunningLoop.StartAsync();
        await loop.AdvanceAsync(TimeSpan.FromSeconds(5));
        loop.Put(1);
        await loop.SettleAsync();
        Assert.True(loop.Serves(1));
    }

    [Fact]
    public async Task A_storm_is_one_apply_in_an_interval_and_never_further_behind_than_that()
    {
        await using var loop = await RunningLoop.StartAsync();
        var before = loop.Kernel.Runs.Count;
        for (var change = 0; change < 1000; change++)
        {
            loop.Put(change);
            await loop.SettleAsync();
            Assert.False(loop.Status.Waiting > RunningLoop.Interval, "a change waited for longer than the interval");
            await loop.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        }

        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.True(loop.Serves(999));
        Assert.InRange(loop.Kernel.Runs.Count - before, 20, 22);
    }

    [Fact]
    public async Task The_interval_counts_from_the_end_of_an_apply()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.Duration = TimeSpan.FromMilliseconds(200);
        loop.Put(1);
        await loop.SettleAsync();
        loop.Put(2);
        await loop.AdvanceAsync(RunningLoop.Interval - TimeSpan.FromMilliseconds(1));
        Assert.False(loop.Serves(2));
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        Assert.True(loop.Serves(2));
        var runs = loop.Kernel.Runs;
        Assert.Equal(RunningLoop.Interval, loop.Clock.GetElapsedTime(runs[^2].Ended, runs[^1].Began));
    }

    [Fact]
    public async Task Without_an_interval_every_change_is_applied_at_once()
    {
        await using var loop = await RunningLoop.StartAsync(interval: TimeSpan.Zero);
        var before = loop.Kernel.Runs.Count;
        for (var change = 0; change < 20; change++)
        {
            loop.Put(change);
            await loop.SettleAsync();
            Assert.True(loop.Serves(change));
        }

        Assert.Equal(20, loop.Kernel.Runs.Count - before);
    }

    [Fact]
    public async Task A_pod_that_waits_for_its_hostPorts_does_not_wait_for_the_interval()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Put(1);
        await loop.SettleAsync();
        var wait = loop.Node.AppliedAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        await loop.SettleAsync();
        await wait;

        // Once: no ADD waits any more, so the next change waits for the end of the interval.
        loop.Put(2);
        await loop.SettleAsync();
        Assert.False(loop.Serves(2));
        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.True(loop.Serves(2));
    }

    [Fact]
    public async Task Changes_of_the_node_are_bounded_as_the_clusters_are()
    {
        await using var loop = await RunningLoop.StartAsync();
        await loop.AdvanceAsync(TimeSpan.FromSeconds(1));
        var before = loop.Kernel.Runs.Count;
        for (var change = 0; change < 200; change++)
        {
            loop.Node.SetNetworkState(RunningLoop.Facts("192.168.0.1", $"192.168.0.{change + 2}"));
            await loop.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange(loop.Kernel.Runs.Count - before, 4, 5);
        Assert.Contains(loop.Node.Seen.View!.Network.Addresses, a => a.ToString() == "192.168.0.1");
    }

    [Fact]
    public async Task What_a_run_throws_ends_the_loop()
    {
        var runner = new BoundedFrequencyRunner(TimeSpan.Zero, RunningLoop.VerifyPeriod, new LoopClock());
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => runner.RunAsync(
                () => Task.CompletedTask, () => Task.CompletedTask, _ => throw new InvalidOperationException(),
                TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Cancelled_it_ends_between_two_runs()
    {
        using var stop = new CancellationTokenSource();
        var runs = 0;
        var runner = new BoundedFrequencyRunner(TimeSpan.Zero, RunningLoop.VerifyPeriod, new LoopClock());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runner.RunAsync(
            () => Task.CompletedTask, () => new TaskCompletionSource().Task,
            _ =>
            {
                if (++runs == 3)
                    stop.Cancel();
                return default;
            },
            stop.Token));
        Assert.Equal(3, runs);
    }
}
