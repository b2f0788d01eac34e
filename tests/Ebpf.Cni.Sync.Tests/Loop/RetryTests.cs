using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Sync.Apply;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>What an apply could not do: tried again, with a delay that grows, and reported as long as it lasts.</summary>
public class RetryTests
{
    [Fact]
    public async Task A_write_that_fails_is_repeated_after_a_delay_that_doubles_up_to_half_a_minute()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(1);
        await loop.SettleAsync();
        double[] delays = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30];
        foreach (var delay in delays)
        {
            var before = loop.Kernel.Runs.Count;
            await loop.AdvanceAsync(TimeSpan.FromSeconds(delay) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(before, loop.Kernel.Runs.Count);
            await loop.AdvanceAsync(TimeSpan.FromMilliseconds(1));
            Assert.Equal(before + 1, loop.Kernel.Runs.Count);
        }

        Assert.False(loop.Status.Healthy);
        Assert.Equal(1 + delays.Length, loop.Log.Lines.Count(l => l.Id == 3333) / 2); // its port and its address's reject entry

        loop.Kernel.Tables.NextFault = () => Fault.None;
        await loop.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.True(loop.Serves(1) && loop.Status.Healthy);

        // A success begins anew.
        await loop.AdvanceAsync(RunningLoop.Interval);
        await AssertTriedAgainSoonAsync(loop, 2);
    }

    [Fact]
    public async Task A_change_does_not_wait_for_another_ones_delay()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(1);
        await loop.AdvanceAsync(TimeSpan.FromSeconds(20)); // the next attempt is far away
        loop.Kernel.Tables.NextFault = () => Fault.None;
        Assert.False(loop.Serves(1));
        loop.Put(2);
        await loop.SettleAsync();
        Assert.True(loop.Serves(1) && loop.Serves(2));
    }

    [Fact]
    public async Task What_fails_beside_the_services_is_repeated_and_no_ill_health()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.After = new NodeApplyResult([("route", 0)], 1, []);
        loop.Put(1);
        await loop.SettleAsync();
        Assert.True(loop.Serves(1));
        Assert.Null(loop.Status.Waiting);
        var before = loop.Kernel.Runs.Count;
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        Assert.Equal(before + 1, loop.Kernel.Runs.Count);
        await loop.AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.True(loop.Status.Healthy);
        loop.Kernel.After = new NodeApplyResult([], 0, []);
        await loop.AdvanceAsync(TimeSpan.FromSeconds(30));
        before = loop.Kernel.Runs.Count;
        await loop.AdvanceAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(before, loop.Kernel.Runs.Count);
    }

    [Fact]
    public async Task What_has_long_failed_beside_the_services_does_not_slow_down_a_services_next_attempt()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.After = new NodeApplyResult([("route", 0)], 1, []);
        loop.Put(1);
        await loop.AdvanceAsync(TimeSpan.FromMinutes(5));
        await AssertTriedAgainSoonAsync(loop, 2);
    }

    [Fact]
    public async Task What_has_long_failed_of_a_service_does_not_slow_down_what_is_beside_it()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(1);
        await loop.AdvanceAsync(TimeSpan.FromMinutes(5));
        loop.Kernel.After = new NodeApplyResult([("route", 0)], 1, []);
        loop.Put(2);
        await loop.SettleAsync();
        loop.Kernel.After = new NodeApplyResult([], 0, []);
        var before = loop.Kernel.Runs.Count;
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        Assert.Equal(before + 1, loop.Kernel.Runs.Count);
    }

    [Fact]
    public async Task What_waits_for_space_to_rest_is_applied_when_it_has_rested_without_another_change()
    {
        await using var loop = await RunningLoop.StartAsync(new FakeKernel(64, 3));
        loop.Put(1);
        loop.PutSlice(1, "10.244.0.1", "10.244.0.2");
        await loop.AdvanceAsync(RunningLoop.Interval);
        loop.PutSlice(1, "10.244.0.3", "10.244.0.4"); // no room beside the former two
        await loop.SettleAsync();
        loop.PutSlice(1); // gives them back, to rest
        await loop.AdvanceAsync(RunningLoop.Interval);
        loop.PutSlice(1, "10.244.0.5", "10.244.0.6", "10.244.0.7");
        await loop.AdvanceAsync(RunningLoop.Interval);
        Assert.Equal(0u, Count(loop));
        await loop.AdvanceAsync(FakeDataplane.Rest);
        Assert.Equal(3u, Count(loop));
        Assert.Null(loop.Status.Waiting);
    }

    [Fact]
    public async Task Only_an_apply_without_errors_reports_that_the_kernel_is_in_sync()
    {
        await using var loop = await RunningLoop.StartAsync();
        var before = loop.Observer.Calls.Count;
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(1);
        await loop.SettleAsync();
        Assert.Equal(["Compiling", "Compiled", "Applied"], loop.Observer.Calls.Skip(before));
        loop.Kernel.Tables.NextFault = () => Fault.None;
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        Assert.Equal(["Applied", "InSync"], loop.Observer.Calls.Skip(before + 3));
    }

    private static async Task AssertTriedAgainSoonAsync(RunningLoop loop, int service)
    {
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(service);
        await loop.SettleAsync();
        Assert.False(loop.Serves(service));
        loop.Kernel.Tables.NextFault = () => Fault.None;
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        Assert.True(loop.Serves(service));
    }

    private static uint Count(RunningLoop loop) => loop.Kernel.Tables.Frontends[DesiredStates.Key("10.96.0.2")].Count;
}
