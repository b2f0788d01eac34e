using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>
/// A loop that hangs in a call to the kernel, wherever, is ill health (/livez fails) after --healthz-timeout, and not before.
/// </summary>
public class LivenessTests
{
    private static readonly TimeSpan Beyond = RunningLoop.Patience + TimeSpan.FromSeconds(1);

    [Fact]
    public async Task An_apply_that_hangs()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.HangAt("apply");
        loop.Put(1);
        await HangsAsync(loop);
        await DiesAfterTheLimitAndRecoversAsync(loop);
        Assert.True(loop.Serves(1));
    }

    [Fact]
    public async Task A_verification_that_hangs_in_a_quiet_cluster()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.HangAt("verify");
        loop.AdvanceInto(RunningLoop.VerifyPeriod);
        await HangsAsync(loop);
        Assert.Null(loop.Status.Waiting);
        await DiesAfterTheLimitAndRecoversAsync(loop);
    }

    [Fact]
    public async Task A_retry_that_hangs()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.After = new([], 1, []); // needs a retry, and is no ill health
        loop.Put(1);
        await loop.SettleAsync();
        loop.Kernel.After = new([], 0, []);
        loop.Kernel.HangAt("apply");
        await loop.AdvanceAsync(RunningLoop.Interval);
        loop.AdvanceInto(TimeSpan.FromSeconds(1));
        await HangsAsync(loop);
        await DiesAfterTheLimitAndRecoversAsync(loop);
    }

    [Fact]
    public async Task A_change_of_the_node_alone_whose_apply_hangs()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.HangAt("apply");
        loop.Node.SetNetworkState(RunningLoop.Facts("192.168.0.1", "192.168.0.2"));
        await HangsAsync(loop);
        await DiesAfterTheLimitAndRecoversAsync(loop);
    }

    [Fact]
    public async Task A_change_is_timed_from_its_arrival_while_the_loop_hangs_with_another()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.HangAt("verify");
        loop.AdvanceInto(RunningLoop.VerifyPeriod);
        await HangsAsync(loop);
        loop.Clock.Advance(TimeSpan.FromSeconds(10));
        loop.Put(1);
        loop.Clock.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal((TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30)), (loop.Status.Waiting, loop.Status.Passing));
    }

    [Fact]
    public async Task A_dataplane_that_does_not_open_while_the_cluster_is_known()
    {
        await using var loop = new RunningLoop();
        await loop.BeginAsync();
        loop.Store.Services.Replace([]);
        loop.Clock.Advance(TimeSpan.FromHours(1));
        Assert.True(loop.Status.Healthy); // half a cluster is nothing that could be applied
        loop.List();
        loop.Clock.Advance(RunningLoop.Patience);
        Assert.True(loop.Status.Healthy);
        loop.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(loop.Status.Healthy);
    }

    [Fact]
    public async Task A_loop_that_only_waits_is_alive()
    {
        await using var loop = await RunningLoop.StartAsync();
        await loop.AdvanceAsync(TimeSpan.FromHours(3));
        Assert.True(loop.Status.Healthy);
    }

    [Fact]
    public async Task A_failing_write_is_no_hanging_pass()
    {
        await using var loop = await RunningLoop.StartAsync();
        loop.Kernel.Tables.NextFault = () => Fault.Fail;
        loop.Put(1);
        await loop.AdvanceAsync(Beyond);
        Assert.False(loop.Status.Healthy);
        Assert.False(loop.Status.Hangs);
    }

    private static Task HangsAsync(RunningLoop loop) =>
        Eventually.True(() => loop.Kernel.Hanging, "the loop is in a call that does not come back");

    private static async Task DiesAfterTheLimitAndRecoversAsync(RunningLoop loop)
    {
        loop.Clock.Advance(RunningLoop.Patience);
        Assert.True(loop.Status.Healthy);
        loop.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(loop.Status.Healthy);
        Assert.True(loop.Status.Hangs);
        loop.Kernel.Release();
        await Eventually.True(() => loop.Status.Healthy, "the pass has ended");
        await loop.SettleAsync();
        Assert.True(loop.Status.Healthy);
    }
}
