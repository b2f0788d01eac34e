using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>The full pass of every verify period finds, reports and repairs what another program has changed.</summary>
public class VerifyTests
{
    [Fact]
    public async Task A_frontend_that_another_program_removed_is_back_after_the_verify_period()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Put(1);
        await loop.SettleAsync();
        loop.Kernel.Tables.Frontends.Remove(DesiredStates.Key("10.96.0.2"));
        await loop.AdvanceAsync(RunningLoop.VerifyPeriod / 2);
        Assert.False(loop.Serves(1));
        await loop.AdvanceAsync(RunningLoop.VerifyPeriod / 2);
        Assert.True(loop.Serves(1));
        Assert.Contains(loop.Log.Lines, l => l.Id == 3334 && l.Message.Contains("1 missing", StringComparison.Ordinal));
        Assert.Equal((1, 1), (loop.Observer.Drift, loop.Kernel.Verified));
    }

    [Fact]
    public async Task Entries_of_the_ipcache_that_differ_are_logged()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.DriftOfPrefixes = 2;
        await loop.AdvanceAsync(RunningLoop.VerifyPeriod);
        Assert.Contains(loop.Log.Lines, l => l.Id == 3339 && l.Message.Contains("2 ipcache entries", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_cluster_that_changes_all_the_time_is_verified_all_the_same()
    {
        await using var loop = await RunningLoop.StartAsync();
        for (var second = 0; second <= RunningLoop.VerifyPeriod.TotalSeconds; second++)
        {
            loop.Put(1, port: 1 + second);
            await loop.AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(1, loop.Kernel.Verified);
    }

    [Fact]
    public async Task A_read_back_that_fails_is_logged_and_the_loop_goes_on()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.VerifyFails = new KernelException("read the table", Errno.ENOMEM);
        await loop.AdvanceAsync(RunningLoop.VerifyPeriod);
        Assert.Contains(loop.Log.Lines, l => l.Id == 3333 && l.Message.Contains("read the table", StringComparison.Ordinal));
        loop.Put(1);
        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.True(loop.Serves(1));
        Assert.Equal(1, loop.Kernel.Verified);
    }

    [Fact]
    public async Task A_repair_that_fails_is_repeated_and_ill_health_after_the_limit()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Put(1);
        await loop.SettleAsync();
        loop.Kernel.Tables.Frontends.Clear();
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        await loop.AdvanceAsync(RunningLoop.VerifyPeriod);
        Assert.True(loop.Status.Healthy);
        await loop.AdvanceAsync(RunningLoop.Patience + TimeSpan.FromSeconds(1));
        Assert.False(loop.Status.Healthy);
        loop.Kernel.Tables.NextFault = () => Fault.None;
        await loop.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.True(loop.Status.Healthy && loop.Serves(1));
    }

    [Fact]
    public async Task What_was_taken_away_beside_the_tables_is_looked_at_once_for_each_loss()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Node.Lost();
        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.Equal(1, loop.Kernel.Losses);
        loop.Put(1);
        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.Equal(1, loop.Kernel.Losses);
    }
}
