using System.Net;
using System.Text.Json;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>A cluster with an echo server pod and a client pod on the first node, and the Service "bench" in front of the server.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    private const int ServerPort = 7000;
    private static readonly string Self = typeof(BenchCluster).Assembly.Location;

    /// <summary>Of the meter pod.</summary>
    public string MeterSocket => SocketOf(Cluster.Name);

    private BenchCluster(SandboxCluster cluster) => Cluster = cluster;

    public SandboxCluster Cluster { get; }

    /// <summary>The node where client and server are.</summary>
    public SandboxNode Node => Cluster.Nodes.Values.First();

    /// <param name="name">Of the sandbox: two can stand side by side.</param>
    public static async Task<BenchCluster> StartAsync(string[] agentArguments, string name = "bench")
    {
        var artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!;
        var cluster = await SandboxCluster.StartAsync(
            new SandboxOptions { Name = name, Nodes = 2, Artifacts = artifacts, AgentArguments = agentArguments });
        var bench = new BenchCluster(cluster);
        await cluster.ApplyAsync(Manifest(cluster.NodeNames[0], SocketOf(name)));
        await cluster.WaitForPodsReady("app=bench", 1);
        await cluster.WaitForPodsReady("app=client", 1);
        await cluster.Client.WaitForEndpointsAsync("bench", 1);
        return bench;
    }

    /// <summary>The server pod's address and port, and the Service's.</summary>
    public async Task<(IPEndPoint Direct, IPEndPoint Service)> TargetsAsync()
    {
        var pod = (await Cluster.WaitForPodsReady("app=bench", 1))[0];
        var service = await Cluster.Client.GetAsync(ResourceTypes.Services, "default", "bench");
        return (
            new IPEndPoint(IPAddress.Parse(pod["status"]!["podIP"]!.GetValue<string>()), ServerPort),
            new IPEndPoint(IPAddress.Parse(service["spec"]!["clusterIP"]!.GetValue<string>()), 80));
    }

    /// <summary>Pairs of the same exchange, to the pod and to the Service; mode as in <see cref="Roles.PairedClient"/>.</summary>
    public async Task<PairedFigures> MeasureAsync(string mode, int pairs)
    {
        var (direct, through) = await TargetsAsync();
        var result = await Cluster.ExecAsync("client",
            ["taskset", "-c", "0", "dotnet", Self, "client", mode, $"{direct}", $"{through}", $"{pairs}"]);
        return JsonSerializer.Deserialize<PairedFigures>(result.ThrowIfFailed().Output)!;
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    private static string SocketOf(string cluster) => Path.Combine(Path.GetTempPath(), $"ecni-{cluster}-ours.sock");

    private static string Manifest(string node, string meter) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: bench, labels: { app: bench } }
        spec:
          nodeName: {{node}}
          containers:
            - name: server
              image: ebpf-cni/benchmarks
              command: [taskset, -c, "0", dotnet, "{{Self}}", server, "{{ServerPort}}"]
              readinessProbe: {tcpSocket: {port: {{ServerPort}} }, periodSeconds: 1}
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: client, labels: { app: client } }
        spec:
          nodeName: {{node}}
          containers: [{name: client, image: ebpf-cni/benchmarks, command: [sleep, infinity]}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: meter, labels: { app: meter } }
        spec:
          nodeName: {{node}}
          containers:
            - name: meter
              image: ebpf-cni/benchmarks
              command: [taskset, -c, "0", dotnet, "{{Self}}", meter, "{{meter}}"]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: bench}
        spec:
          selector: {app: bench}
          ports:
            - {name: tcp, port: 80, targetPort: {{ServerPort}}, protocol: TCP}
            - {name: udp, port: 80, targetPort: {{ServerPort}}, protocol: UDP}
        """;
}
