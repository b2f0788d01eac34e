using System.Collections.Concurrent;
using Ebpf.Cni.Cli.Cluster;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>Some nodes at once, each for its own time.</summary>
public class NodeQuestionsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task No_more_than_so_many_nodes_are_asked_at_once_and_all_are_asked()
    {
        var kubectl = new Gate();
        var asking = Ask(kubectl, 2, new FakeTimeProvider());
        for (var done = 0; done < 5; done++)
        {
            await Eventually.True(() => kubectl.Waiting.Count == Math.Min(2, 5 - done), "two nodes are asked");
            Assert.InRange(kubectl.Most, 1, 2);
            kubectl.Answer(kubectl.Waiting.Keys.First());
        }

        Assert.All(await asking, r => Assert.Equal("{}", r.Body));
        Assert.Equal(2, kubectl.Most);
    }

    [Fact]
    public async Task A_node_has_its_time_from_when_it_is_asked()
    {
        var (kubectl, time) = (new Gate(), new FakeTimeProvider());
        var asking = Ask(kubectl, 2, time);
        await Eventually.True(() => kubectl.Waiting.Count == 2, "two nodes are asked");
        time.Advance(Patience);
        await Eventually.True(() => kubectl.Asked == 4 && kubectl.Waiting.Count == 2, "their time is over, two others are asked");
        foreach (var pod in kubectl.Waiting.Keys)
            kubectl.Answer(pod);
        await Eventually.True(() => kubectl.Waiting.ContainsKey("p4"), "the last one is asked");
        kubectl.Answer("p4");
        var replies = await asking;
        Assert.Equal(["n0", "n1", "n2", "n3", "n4"], replies.Select(r => r.Pod.Node));
        Assert.Equal(2, replies.Count(r => r.Error == "no answer within 10 s (--node-timeout)"));
        Assert.Equal(3, replies.Count(r => r.Body == "{}"));
    }

    [Fact]
    public async Task An_interrupt_ends_all()
    {
        var kubectl = new Gate();
        using var interrupt = new CancellationTokenSource();
        var asking = Ask(kubectl, 8, new FakeTimeProvider(), interrupt.Token);
        await Eventually.True(() => kubectl.Waiting.Count == 5, "all are asked");
        await interrupt.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        Assert.Empty(kubectl.Waiting);
    }

    private static Task<IReadOnlyList<NodeReply>> Ask(
        IKubectl kubectl, int atOnce, TimeProvider time, CancellationToken cancel = default) =>
        new NodeQuestions(kubectl, new NodePace(atOnce, Patience, time)).AskAsync(
            [.. Enumerable.Range(0, 5).Select(i => new AgentPod($"n{i}", "kube-system", $"p{i}", null))], ["status"], cancel);

    /// <summary>Answers when it is let.</summary>
    private sealed class Gate : IKubectl
    {
        private readonly Lock _lock = new();

        public ConcurrentDictionary<string, TaskCompletionSource> Waiting { get; } = new();

        public int Most { get; private set; }

        public int Asked { get; private set; }

        public void Answer(string pod)
        {
            if (Waiting.TryRemove(pod, out var gate))
                gate.SetResult();
        }

        public async Task<KubectlOutcome> RunAsync(IReadOnlyList<string> arguments, bool interactive, CancellationToken cancel)
        {
            var (pod, gate) = (arguments[3], new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            // Counted before it can be seen to wait.
            lock (_lock)
            {
                (Asked, Most) = (Asked + 1, Math.Max(Most, Waiting.Count + 1));
                Waiting[pod] = gate;
            }

            try
            {
                await gate.Task.WaitAsync(cancel);
                return new KubectlOutcome(0, "{}", "");
            }
            finally
            {
                Waiting.TryRemove(pod, out _);
            }
        }
    }
}
