using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>
/// A running cluster of two nodes with the published agent and plugin, shared by the tests of a class. Everything in it is what users
/// get; only the Kubernetes API is the sandbox's.
/// </summary>
public abstract class ClusterFixture(string name, params string[] agentArguments) : SandboxFixture
{
    private protected override SandboxOptions Options => new() { Name = name, Nodes = 2, AgentArguments = agentArguments };

    private protected override async Task FillAsync()
    {
        await Cluster.ApplyAsync(Path.Combine(Repository.Root, "examples", "hello.yaml"));
        await Cluster.WaitForPodsReady("app=web", 3);
        await Cluster.WaitForPodsReady("app=client", 1);
        await Cluster.Client.WaitForEndpointsAsync("hello", 3);
    }

    /// <summary>The cluster IPs of a Service, in the order of its families.</summary>
    public async Task<string[]> AddressesOf(string service)
    {
        var found = await Cluster.Client.GetAsync(ResourceTypes.Services, "default", service);
        return [.. found["spec"]!["clusterIPs"]!.AsArray().Select(ip => ip!.GetValue<string>())];
    }

    /// <summary>Asks from a pod, each time anew; see programs/ask.py.</summary>
    public async Task<Asked> Ask(string protocol, string address, int port, int count, string pod = "client", double timeout = 5)
    {
        var result = await Cluster.ExecAsync(pod, Program("ask.py", protocol, address, $"{port}", $"{count}", $"{timeout}"));
        return Asked.Parse(result);
    }

    /// <summary>The same from a node itself.</summary>
    public async Task<Asked> AskFromNode(string node, string protocol, string address, int port, int count) =>
        Asked.Parse(await Cluster.ExecOnNodeAsync(node, Program("ask.py", protocol, address, $"{port}", $"{count}")));

    /// <summary>Waits until every one of ten fresh questions is answered, by exactly this many backends in the end.</summary>
    public Task AnsweredBy(string protocol, string address, int port, int backends) => Eventually.True(
        async () =>
        {
            var asked = await Ask(protocol, address, port, 40);
            return asked.Failures.Count == 0 && asked.Answers.Count == backends;
        }, $"{protocol} to {address}:{port} answered by {backends} backends");

    /// <summary>Waits until a connection is refused at once; from then on all are.</summary>
    public async Task Refused(string address, int port)
    {
        await Eventually.True(async () => AllRefused(await Ask("tcp", address, port, 1)), $"{address}:{port} refuses");
        var more = await Ask("tcp", address, port, 10);
        Assert.True(AllRefused(more), $"{address}:{port} refuses, and then does not: {more}");

        static bool AllRefused(Asked asked) =>
            asked.Answers.Count == 0 && asked.Failures.Keys.All(f => f.StartsWith("ConnectionRefusedError", StringComparison.Ordinal));
    }

    public static string[] Program(string name, params string[] arguments) =>
        ["python3", Path.Combine(AppContext.BaseDirectory, "programs", name), .. arguments];

    public static string Manifest(string name) => Path.Combine(AppContext.BaseDirectory, "manifests", name);
}

/// <summary>What programs/ask.py counted: answers by text, failures by message.</summary>
public sealed record Asked(IReadOnlyDictionary<string, int> Answers, IReadOnlyDictionary<string, int> Failures)
{
    internal static Asked Parse(ExecResult result)
    {
        if (result.ExitCode != 0)
            throw new InvalidOperationException($"ask.py ended with {result.ExitCode}: {result.Errors}");
        var document = JsonNode.Parse(result.Output)!;
        return new Asked(
            document["answers"].Deserialize<Dictionary<string, int>>()!, document["failures"].Deserialize<Dictionary<string, int>>()!)
        {
            FailedFrom = document["failed_from"]?.Deserialize<List<int>>() ?? [],
            Seconds = document["seconds"]?.GetValue<double>() ?? 0,
        };
    }

    /// <summary>The asker's own port of each failure: by it the connection is found in a node's tables.</summary>
    public IReadOnlyList<int> FailedFrom { get; init; } = [];

    /// <summary>From the first question to the last answer.</summary>
    public double Seconds { get; init; }

    /// <summary>The first words of the answers: who answered.</summary>
    public IReadOnlySet<string> Pods => Answers.Keys.Select(a => a.Split(' ')[0]).ToHashSet();

    /// <summary>The third words, where programs/server.py answered: whom it took the asker for.</summary>
    public IReadOnlySet<string> Peers => Answers.Keys.Select(a => a.Split(' ')[2]).ToHashSet();

    /// <summary>Answers whose pod has this name or prefix.</summary>
    public int From(string pod) => Answers.Where(a => a.Key.StartsWith(pod, StringComparison.Ordinal)).Sum(a => a.Value);

    public override string ToString() =>
        string.Join(", ", Answers.Select(a => $"{a.Key}: {a.Value}").Concat(Failures.Select(f => $"{f.Key}: {f.Value}")))
        + (FailedFrom.Count > 0 ? $" (from ports {string.Join(' ', FailedFrom.Take(10))})" : "");
}
