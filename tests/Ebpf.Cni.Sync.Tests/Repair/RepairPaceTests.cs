using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Tests.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Sync.Tests.Repair.Losing;

namespace Ebpf.Cni.Sync.Tests.Repair;

/// <summary>How often what was taken away is put back, and what is told of it.</summary>
public class RepairPaceTests
{
    [Fact]
    public async Task Where_it_is_taken_away_each_time_the_node_says_so_until_it_is_over()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await Add(node, "a");
        var time = new FakeTimeProvider();
        using var stop = new CancellationTokenSource();
        var running = await Start(node, stop.Token, time: time);
        try
        {
            await Eventually.True(
                () =>
                {
                    if (Routes(node) == 2)
                        node.Namespace.Run(() => Flush(routes: true, neighbours: false));
                    time.Advance(TimeSpan.FromMilliseconds(50));
                    return Issue(node) is not null;
                }, "the node has an issue");
            Assert.Contains("was deleted, by netlink port", Issue(node)!.Message, StringComparison.Ordinal);
            await Eventually.True(
                () =>
                {
                    time.Advance(TimeSpan.FromMilliseconds(200));
                    return Issue(node) is null;
                }, "the issue is over");
            Assert.Equal(2, Routes(node));
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    [Fact]
    public async Task Events_that_were_dropped_are_a_reason_to_look_and_nobody_to_blame()
    {
        Requires.Root();
        using var node = new RealNode();
        var (time, log) = (new FakeTimeProvider(), new KeptLog<LossRepair>());
        using var stop = new CancellationTokenSource();
        // Whatever the kernel tells is as if it had dropped it.
        var running = await Start(node, stop.Token, log, time, (_, isLoss) => isLoss(default));
        try
        {
            for (var round = 0; round < 8; round++)
            {
                node.Namespace.Run(() =>
                {
                    using var netlink = RouteNetlink.Open();
                    netlink.SetMtu(1, 60000 + round);
                });
                await Eventually.True(
                    () =>
                    {
                        time.Advance(TimeSpan.FromMilliseconds(50));
                        return node.State.TakeLoss();
                    }, "everything is looked at");
            }

            Assert.Null(Issue(node));
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }

        Assert.Empty(log.Lines);
    }

    [Fact]
    public async Task A_loss_that_could_not_be_judged_is_put_back_when_the_kernel_is_asked_again()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await Add(node, "a");
        var (time, failures) = (new FakeTimeProvider(), 0);
        using var stop = new CancellationTokenSource();
        var running = await Start(
            node, stop.Token, time: time, isThere: _ => failures++ > 0 ? true : throw new KernelException("find a link", Errno.ENOBUFS));
        try
        {
            node.Namespace.Run(() => Flush(routes: true, neighbours: false));
            await Eventually.True(
                () =>
                {
                    time.Advance(TimeSpan.FromMilliseconds(50));
                    return Routes(node) == 2;
                }, "the pod's routes are back");
            Assert.True(failures > 0);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    [Fact]
    public void The_pace_is_slower_the_longer_it_lasts_and_quick_again_afterwards()
    {
        var time = new FakeTimeProvider();
        var pace = new RepairPace(time);
        var rests = new List<double>();
        for (var i = 0; i < 12; i++)
        {
            pace.Repairing();
            rests.Add(pace.Rest.TotalSeconds);
            Assert.Equal(i >= 3, pace.IsFought);
            time.Advance(pace.Rest);
        }

        Assert.Equal([1, 1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60], rests);
        time.Advance(pace.Calm);
        pace.Repairing();
        Assert.Equal((false, 1.0), (pace.IsFought, pace.Rest.TotalSeconds));
        // Losses with a rest in between are no fight, however many.
        for (var i = 0; i < 20; i++)
        {
            time.Advance(pace.Calm);
            pace.Repairing();
        }

        Assert.False(pace.IsFought);
    }

    private static CompileIssue? Issue(RealNode node) =>
        node.State.View(null).Issues.FirstOrDefault(i => i.Reason == NodeState.NetworkFought);
}
