using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;
using Grpc.Core;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// Two nodes with agents; on the first also a containerd, which is told what kubelet would tell it. Pods a1 and b1, one a node, are not
/// containerd's: they answer, behind the Service "web", and ask.
/// </summary>
public sealed class RuntimeCluster : IAsyncLifetime
{
    private static readonly string[] Programs = ["containerd", "ctr", "runc", "gcc"];

    /// <summary>containerd runs it for every sandbox before the plugin of the configuration, from the same directory.</summary>
    private const string Loopback = "/usr/lib/cni/loopback";

    private readonly string _scratch = Path.Combine(Path.GetTempPath(), $"ecni-runtime-{Environment.ProcessId}");
    private readonly Dictionary<string, IPAddress[]> _pods = [];
    private SandboxCluster? _cluster;
    private Containerd? _containerd;
    private string? _unable;
    private int _made;

    /// <summary>Skips the test where no container can be.</summary>
    public SandboxCluster Cluster
    {
        get
        {
            Requires.Root();
            foreach (var program in Programs)
                Requires.Tool(program);
            Assert.SkipUnless(File.Exists(Loopback), $"needs {Loopback}, of Debian's containernetworking-plugins");
            Assert.SkipWhen(_unable is not null, _unable ?? "");
            return _cluster ?? throw new InvalidOperationException("the cluster did not start");
        }
    }

    /// <summary>Containers can be here, and are.</summary>
    public bool IsRunning => _cluster is not null && _unable is null;

    internal Containerd Containerd => _containerd!;

    internal CriClient Cri => Containerd.Client;

    /// <summary>Where containerd runs.</summary>
    public SandboxNode Node => Cluster.Nodes["node-a"];

    public async ValueTask InitializeAsync()
    {
        if (!Environment.IsPrivilegedProcess || !Programs.All(Requires.HasTool) || !File.Exists(Loopback))
            return;
        _cluster = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = "runtime",
            Nodes = 2,
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
        });
        var applying = _cluster.ApplyAsync(Manifest("a1", "node-a") + "---\n" + Manifest("b1", "node-b")
            + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ipFamilyPolicy: RequireDualStack, selector: {app: web}, "
                + "ports: [{port: 80, targetPort: 8080}]}\n");
        Directory.CreateDirectory(_scratch);
        var archive = Path.Combine(_scratch, "image.tar");
        ContainerImage.Write(archive, _scratch);
        File.Copy(Loopback, Path.Combine(_cluster.Nodes["node-a"].Directories.CniBinaries, "loopback"));
        _containerd = new Containerd(_cluster.Nodes["node-a"]);
        await _containerd.StartAsync();
        await _containerd.ImportAsync(archive);
        await ProveContainersAsync();
        await applying;
        foreach (var pod in await _cluster.WaitForPodsReady("app=web", 2))
            _pods[pod.Name()] = [.. pod.Items("status", "podIPs").Select(ip => IPAddress.Parse(ip.Text("ip")!))];
    }

    public async ValueTask DisposeAsync()
    {
        if (_containerd is not null)
            await _containerd.DisposeAsync();
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        if (Directory.Exists(_scratch))
            Directory.Delete(_scratch, recursive: true);
    }

    /// <summary>What kubelet asks for: a pod with these ports of the node, in both families.</summary>
    internal PodSandboxConfig Config(string name, params PortMapping[] ports) => new()
    {
        Metadata = new PodSandboxMetadata { Name = name, Uid = $"uid-{name}-{Interlocked.Increment(ref _made)}", Namespace = "default" },
        Hostname = name,
        LogDirectory = Path.Combine(_scratch, "logs"),
        PortMappings = { ports },
        Linux = new LinuxPodSandboxConfig
        {
            CgroupParent = Containerd.CgroupParent,
            SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Pid = NamespaceMode.Container } },
        },
    };

    /// <summary>Runs one, and waits until its program listens: containerd does not.</summary>
    internal async Task<Sandbox> RunAsync(string name, params PortMapping[] ports)
    {
        var sandbox = await FindAsync(name, await Cri.RunAsync(Config(name, ports)));
        await Eventually.True(() => ListensAsync(sandbox), $"{name} listens");
        return sandbox;
    }

    private async Task<bool> ListensAsync(Sandbox sandbox)
    {
        try
        {
            await Task.WhenAll(sandbox.Addresses.Select(a => GetAsync(Node.Namespace, a, ContainerImage.Port)));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The sandbox as containerd describes it.</summary>
    internal async Task<Sandbox> FindAsync(string name, string id)
    {
        var status = (await Cri.StatusAsync(id)).Status;
        return new Sandbox(name, id, status.State,
            [IPAddress.Parse(status.Network.Ip), .. status.Network.AdditionalIps.Select(a => IPAddress.Parse(a.Ip))]);
    }

    /// <summary>As kubelet ends a pod.</summary>
    internal async Task EndAsync(Sandbox sandbox)
    {
        await Cri.StopAsync(sandbox.Id);
        await Cri.RemoveAsync(sandbox.Id);
    }

    /// <summary>The addresses that the agent has on disk for the container; empty: it does not know it.</summary>
    public IReadOnlyList<IPAddress> AddressesInTheAgent(string id) =>
        [.. Directory.EnumerateFiles(Path.Combine(Node.Directories.State, "endpoints"), "*.json")
            .Select(file => JsonNode.Parse(File.ReadAllText(file))!)
            .Where(record => record["containerId"]!.GetValue<string>() == id)
            .SelectMany(record => record["addresses"]!.AsArray())
            .Select(address => IPAddress.Parse(address!.GetValue<string>()))];

    /// <summary>The address of a1 or b1, of this family.</summary>
    public IPAddress PodAddress(string pod, AddressFamily family) => _pods[pod].Single(a => a.AddressFamily == family);

    /// <summary>Asks three times from a1, from b1, or (null) from the world outside; see programs/ask.py.</summary>
    public async Task<Asked> AskAsync(string? pod, string protocol, IPAddress address, int port)
    {
        string[] source = pod is null ? ["--source", World(address.AddressFamily).ToString()] : [];
        var command = ServiceCluster.Program("ask.py", [protocol, address.ToString(), $"{port}", "3", "2", .. source]);
        return Asked.Parse(pod is null ? await Cluster.Outside.ExecAsync(command) : await Cluster.ExecAsync(pod, command));
    }

    /// <summary>Who the world outside asks as.</summary>
    public static IPAddress World(AddressFamily family) =>
        family == AddressFamily.InterNetwork ? OutsideAddresses.V4(1) : OutsideAddresses.V6(1);

    /// <summary>What a process of the sandbox's container is answered when it asks; it is told to over TCP, from the node.</summary>
    internal async Task<string> AskFromAsync(Sandbox sandbox, string protocol, IPAddress address, int port) =>
        await GetAsync(Node.Namespace, sandbox.Addresses[0], ContainerImage.Port, $"/ask/{protocol}/{address}/{port}");

    /// <summary>An HTTP request from inside a namespace; what is answered.</summary>
    /// <exception cref="SocketException">Nobody answers.</exception>
    internal static Task<string> GetAsync(NetworkNamespace from, IPAddress address, int port, string path = "/") =>
        Task.Run(() => from.Run(() =>
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
            { ReceiveTimeout = 10_000, SendTimeout = 5_000 };
        socket.Connect(address, port);
        socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.0\r\n\r\n"));
        using var stream = new StreamReader(new NetworkStream(socket));
        return stream.ReadToEnd().Split("\r\n\r\n")[1];
    }));

    /// <summary>The cluster IPs of a Service, one a family.</summary>
    public async Task<IPAddress[]> ServiceAsync(string name) =>
        [.. (await Cluster.Client.GetAsync(ResourceTypes.Services, "default", name)).Texts("spec", "clusterIPs").Select(IPAddress.Parse)];

    /// <summary>
    /// Whether containers can be on this machine at all, without any network of ours: if not, that is why nothing is tested.
    /// </summary>
    private async Task ProveContainersAsync()
    {
        try
        {
            var config = Config("probe");
            config.Hostname = ""; // the node's, as for every pod on its network
            config.Linux.SecurityContext.NamespaceOptions.Network = NamespaceMode.Node;
            var id = await Cri.RunAsync(config);
            await Cri.StopAsync(id);
            await Cri.RemoveAsync(id);
        }
        catch (RpcException e)
        {
            _unable = $"containerd cannot run a container here, even one without a network: {e.Status.Detail}";
        }
    }

    private static string Manifest(string pod, string node) =>
        $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {pod}, labels: {{app: web}}}}\nspec:\n  nodeName: {node}\n  "
        + $"terminationGracePeriodSeconds: 1\n"
        + $"  containers: [{{name: main, image: python:3-slim, command: {ServiceCluster.ServerCommand(pod, node, "8080")}, readinessProbe: "
            + $"{{tcpSocket: {{port: 8080}}, periodSeconds: 1}}}}]\n";
}

/// <summary>A pod sandbox as containerd told of it.</summary>
internal sealed record Sandbox(string Name, string Id, PodSandboxState State, IReadOnlyList<IPAddress> Addresses)
{
    public bool Ready => State == PodSandboxState.SandboxReady;
}
