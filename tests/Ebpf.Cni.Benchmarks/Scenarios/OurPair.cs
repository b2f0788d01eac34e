using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>Two nodes of ours, with the same pods as <see cref="Rivals.PlainPair"/>.</summary>
internal sealed class OurPair : IAsyncDisposable
{
    private const int Port = 7000;
    private static readonly string Self = typeof(OurPair).Assembly.Location;
    private readonly SandboxCluster _cluster;

    private OurPair(SandboxCluster cluster, string server) => (_cluster, Server) = (cluster, server);

    /// <summary>Its address.</summary>
    public string Server { get; }

    public (string Near, string Far) MeterSockets => (Socket(_cluster.Name, "near"), Socket(_cluster.Name, "far"));

    public static async Task<OurPair> StartAsync(string name, params string[] agentArguments)
    {
        var cluster = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = name,
            Nodes = 2,
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
            AgentArguments = agentArguments,
        });
        try
        {
            var (a, b) = (cluster.NodeNames[0], cluster.NodeNames[1]);
            await cluster.ApplyAsync(string.Join("---\n",
                Pod("server", a, $"server, \"{Port}\""), Pod("near", a, $"meter, \"{Socket(name, "near")}\""),
                Pod("far", b, $"meter, \"{Socket(name, "far")}\"")));
            var pods = await cluster.WaitForPodsReady("part=pair", 3);
            var server = pods.Single(p => p["metadata"]!["name"]!.GetValue<string>() == "server");
            return new OurPair(cluster, server["status"]!["podIP"]!.GetValue<string>());
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private static string Socket(string cluster, string client) => Path.Combine(Path.GetTempPath(), $"ecni-{cluster}-{client}.sock");

    private static string Pod(string name, string node, string role) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: {{name}}, labels: { part: pair } }
        spec:
          nodeName: {{node}}
          containers: [{name: main, image: ebpf-cni/benchmarks, command: [taskset, -c, "0", dotnet, "{{Self}}", {{role}}]}]

        """;
}
