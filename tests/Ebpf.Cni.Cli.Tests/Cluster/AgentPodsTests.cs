using Ebpf.Cni.Cli.Cluster;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>Which pod of a node is asked, and why one cannot be.</summary>
public class AgentPodsTests
{
    private const string Running = """
        {"phase":"Running","containerStatuses":[{"name":"sidecar"},{"name":"agent","state":{"running":{}}}]}
        """;

    [Fact]
    public async Task Of_two_pods_of_a_node_the_one_that_runs_is_asked_and_of_two_that_run_the_newest()
    {
        var pods = await FindAsync(
            Pod("old", "a", Running, """ "creationTimestamp":"2026-01-01T00:00:00Z","deletionTimestamp":"2026-01-03T00:00:00Z" """),
            Pod("new", "a", """{"phase":"Pending"}""", """ "creationTimestamp":"2026-01-02T00:00:00Z" """),
            Pod("early", "b", Running, """ "creationTimestamp":"2026-01-01T00:00:00Z" """),
            Pod("late", "b", Running, """ "creationTimestamp":"2026-01-02T00:00:00Z" """));
        Assert.Equal([new AgentPod("a", "net", "old", null), new AgentPod("b", "net", "late", null)], pods);
    }

    [Theory]
    [InlineData("""{"phase":"Pending"}""", "its pod net/p is Pending")]
    [InlineData("""{"phase":"Failed","reason":"Evicted"}""", "its pod net/p is Evicted")]
    [InlineData("""{"phase":"Running"}""", null)]
    public async Task A_pod_that_does_not_run_cannot_be_asked(string status, string? problem) =>
        Assert.Equal(problem, Assert.Single(await FindAsync(Pod("p", "a", status))).Problem);

    [Theory]
    [InlineData("""{"waiting":{"reason":"CrashLoopBackOff"}}""", "its pod net/p waits: CrashLoopBackOff")]
    [InlineData("""{"terminated":{"reason":"OOMKilled"}}""", "its pod net/p has ended: OOMKilled")]
    [InlineData("""{"waiting":{}}""", "its pod net/p waits: unknown")]
    public async Task The_agents_container_must_run(string state, string problem)
    {
        var status = $$"""{"phase":"Running","containerStatuses":[{"name":"agent","state":{{state}}}]}""";
        Assert.Equal(problem, Assert.Single(await FindAsync(Pod("p", "a", status))).Problem);
    }

    [Fact]
    public async Task A_pod_that_was_not_scheduled_names_its_node_in_its_affinity()
    {
        const string pod = """
            {"metadata":{"name":"p","namespace":"net"},"status":{"phase":"Pending"},"spec":{"affinity":{"nodeAffinity":{
            "requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[
            {"key":"metadata.name","operator":"In","values":["full-node"]}]}]}}}}}
            """;
        Assert.Equal(new AgentPod("full-node", "net", "p", "its pod net/p is Pending"), Assert.Single(await FindAsync(pod)));
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("null")]
    public async Task What_is_no_list_is_a_failure(string output)
    {
        var pods = new AgentPods(new Printing(output), "net", "l");
        var failure = await Assert.ThrowsAsync<CliException>(() => pods.FindAsync(interactive: true, default));
        Assert.Contains("cannot be read", failure.Message, StringComparison.Ordinal);
    }

    private static string Pod(string name, string node, string status, string times = "\"x\":0") =>
        $$"""{"metadata":{"name":"{{name}}","namespace":"net",{{times}}},"spec":{"nodeName":"{{node}}"},"status":{{status}}}""";

    private static Task<IReadOnlyList<AgentPod>> FindAsync(params string[] pods) =>
        new AgentPods(new Printing($$"""{"items":[{{string.Join(',', pods)}}]}"""), "net", "l").FindAsync(interactive: true, default);

    private sealed class Printing(string output) : IKubectl
    {
        public Task<KubectlOutcome> RunAsync(IReadOnlyList<string> arguments, bool interactive, CancellationToken cancel) =>
            Task.FromResult(new KubectlOutcome(0, output, ""));
    }
}
