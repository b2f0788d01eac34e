using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>
/// Two nodes. The first has a server pod, the second, the node under strain, two client pods. An external server is outside the cluster.
/// NodePort Services: "open" with the server pod as its endpoint, "empty" without endpoints.
/// </summary>
internal sealed class StrainCluster : IAsyncDisposable
{
    public const int Port = 7000;

    private static readonly string Self = typeof(StrainCluster).Assembly.Location;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SandboxCluster _cluster;
    private readonly CancellationTokenSource _over = new();
    private readonly Task _world;
    private readonly List<NetworkNamespace> _pods = [];

    private StrainCluster(SandboxCluster cluster)
    {
        _cluster = cluster;
        _world = cluster.Outside.ExecAsync(["dotnet", Self, "world", $"{Port}"], ct: _over.Token);
    }

    /// <summary>The node under strain.</summary>
    public SandboxNode Node => _cluster.Nodes[_cluster.NodeNames[1]];

    public NetworkNamespace Outside => _cluster.Outside.Namespace;

    /// <summary>Addresses of the external server for UDP. Towards one of them the source ports limit a node's flows.</summary>
    public static IReadOnlyList<IPAddress> Servers { get; } = [.. Enumerable.Range(1, 64).Select(OutsideAddresses.V4)];

    /// <summary>The external server, TCP.</summary>
    public static IPEndPoint World { get; } = new(Servers[0], Port);

    /// <summary>The client pods' namespaces.</summary>
    public IReadOnlyList<NetworkNamespace> Pods => _pods;

    public static async Task<StrainCluster> StartAsync(string name)
    {
        var cluster = await SandboxCluster.StartAsync(
            new SandboxOptions { Name = name, Nodes = 2, Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))! });
        var strain = new StrainCluster(cluster);
        try
        {
            await strain.FillAsync();
            return strain;
        }
        catch
        {
            await strain.DisposeAsync();
            throw;
        }
    }

    /// <summary>The Service's NodePort on the node under strain.</summary>
    public async Task<IPEndPoint> NodePortAsync(string service)
    {
        var found = await _cluster.Client.GetAsync(ResourceTypes.Services, "default", service);
        return new IPEndPoint(Node.Addresses.V4, found["spec"]!["ports"]![0]!["nodePort"]!.GetValue<int>());
    }

    /// <summary>Processor time of the agent on the node under strain.</summary>
    public TimeSpan AgentTime() =>
        Scenarios.AgentProcessFigures.Read(Node.AgentPid ?? throw new InvalidOperationException("the agent is gone")).CpuTime;

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (var pod in _pods)
            pod.Dispose();
        await _cluster.DisposeAsync();
        try
        {
            await _world;
        }
        catch (OperationCanceledException)
        {
            // the external server was cancelled
        }
        _over.Dispose();
    }

    private async Task FillAsync()
    {
        await _cluster.ApplyAsync(Manifest(_cluster.NodeNames[0], _cluster.NodeNames[1]));
        await _cluster.WaitForPodsReady("app=server", 1);
        await _cluster.Client.WaitForEndpointsAsync("open", 1);
        var paths = new SandboxPaths(_cluster.Name);
        foreach (var pod in await _cluster.WaitForPodsReady("app=client", 2))
            _pods.Add(NetworkNamespace.Open(paths.PodNamespace(pod["metadata"]!["uid"]!.GetValue<string>())));
        await Answers(Pods[0], World);
        await Answers(Outside, await NodePortAsync("open"));
    }

    private static Task Answers(NetworkNamespace from, IPEndPoint target) => Eventually.True(
        () => from.Run(() =>
        {
            using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                return socket.ConnectAsync(target).Wait(TimeSpan.FromSeconds(1));
            }
            catch (AggregateException)
            {
                return false;
            }
        }),
        $"{target} answers", Patience);

    private static string Manifest(string first, string second) => string.Join("---\n",
        Manifests.Pod("server", first, "server", $"[taskset, -c, \"0\", dotnet, \"{Self}\", server, \"{Port}\"]"),
        Manifests.Pod("client-1", second, "client", "[sleep, infinity]"),
        Manifests.Pod("client-2", second, "client", "[sleep, infinity]"),
        Manifests.NodePort("open", "server", Port), Manifests.NodePort("empty", "none", Port));
}
