using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>A cluster in this process: the API with its controllers, nodes as namespaces, the shipped agents. Needs root.</summary>
public sealed class SandboxCluster : SandboxView, IAsyncDisposable
{
    /// <summary>Where nodes find the API, on their own loopback.</summary>
    public const int NodeApiPort = 6443;

    /// <summary>Where their pods find it, on the same loopback, by TLS as everywhere.</summary>
    public const int NodeSecureApiPort = 6444;

    private readonly ClusterParts _parts;

    private SandboxCluster(SandboxPaths paths, ClusterParts parts)
        : base(paths, parts.Api!.Address, [.. parts.Nodes.Keys])
    {
        _parts = parts;
        Outside = new SandboxOutside(paths, parts.Network!.Outside, parts.Nodes);
    }

    public IReadOnlyDictionary<string, SandboxNode> Nodes => _parts.Nodes;

    /// <summary>Where clients from outside ask from, and where pods that leave the cluster arrive.</summary>
    public SandboxOutside Outside { get; }

    /// <summary>Makes the API misbehave.</summary>
    public Misbehaviour Misbehaviour => _parts.Api!.Misbehaviour;

    /// <summary>The API from inside.</summary>
    public ApiServer Api => _parts.Api!;

    /// <summary>Makes a cluster and waits until its agents and nodes are ready. Nothing is left behind on failure.</summary>
    /// <exception cref="InvalidOperationException">
    /// A sandbox of this name is running, or an agent does not start; carries the end of its log.
    /// </exception>
    public static async Task<SandboxCluster> StartAsync(SandboxOptions options, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        // What is wrong with it is better known before the rest
        var manifest = options.ManifestFile is { } file ? await InstallManifest.ReadAsync(file, ct) : null;
        var paths = new SandboxPaths(options.Name);
        if (SandboxRecord.Read(paths) is { } record && record.Owner.IsAlive)
            throw new InvalidOperationException(
                $"a sandbox '{options.Name}' is running (process {record.Owner.Id}): end it with `ebpf-cni-sandbox down --name "
                + $"{options.Name}`");
        await SandboxCleanup.RemoveAsync(paths, keepOwnerLog: true);
        var parts = new ClusterParts(paths);
        try
        {
            return await BuildAsync(options, manifest, paths, parts, ct);
        }
        catch
        {
            await parts.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes a sandbox by name, also one whose process was killed. True if there was anything to remove.</summary>
    public static Task<bool> CleanUpAsync(string name) => SandboxCleanup.RunAsync(new SandboxPaths(name));

    public async ValueTask DisposeAsync()
    {
        await _parts.DisposeAsync();
        Dispose(); // the client last: the kubelets use it
    }

    private static async Task<SandboxCluster> BuildAsync(
        SandboxOptions options, InstallManifest? manifest, SandboxPaths paths, ClusterParts parts, CancellationToken ct)
    {
        var progress = options.Progress ?? (_ => { });
        Directory.CreateDirectory(paths.WorkDirectory);
        var record = new SandboxRecord(ProcessIdentity.OfThisProcess(), null, [], false);
        record.Write(paths);
        var nodes = Enumerable.Range(0, options.Nodes).Select(i => NodeAddressPlan.Of(i + 1, options.LinkOf(i))).ToList();
        progress($"{nodes.Count} nodes as network namespaces: {string.Join(", ", nodes.Select(n => $"{n.Node} ({n.V4}, {n.V6})"))}");
        parts.Network = FabricNetwork.Create(paths);
        foreach (var node in nodes)
            AddNode(options, paths, parts, node);
        await parts.StartApiAsync(options, ct);
        progress($"Kubernetes API at {parts.Api!.Address}");
        var cluster = new SandboxCluster(paths, parts);
        if (options.LoadBalancer)
            parts.LoadBalancer = new SandboxLoadBalancer(cluster.Client, cluster.Outside, parts.Nodes);
        await parts.StartKubeletsAsync(cluster.Client, manifest, options, ct);
        if (manifest is not null && options.Install)
        {
            foreach (var document in manifest.Objects)
                await cluster.Client.ApplyAsync(document, ct);
            progress($"applied {Path.GetFileName(options.ManifestFile)}: {string.Join(", "
                + "", manifest.Objects.Select(o => o.Text("kind")))}");
        }
        if (manifest is { } && options.Install && options.StartAgents)
        {
            progress("agents: preparing nodes, loading programs, filling tables");
            await Task.WhenAll(parts.Nodes.Values.Select(node => node.StartAgentAsync()));
            await Task.WhenAll(parts.Nodes.Values.Select(node => node.WaitAgentReadyAsync(ct)));
            // what is applied at once is then spread over all nodes, not put on the one that was first
            await cluster.Client.WaitAsync(
                ResourceTypes.Nodes, "", null, all => all.All(node => node.Condition("Ready") == "True"), "all nodes ready", ct: ct);
        }
        (record with { Api = parts.Api.Address, Nodes = cluster.NodeNames, Ready = true }).Write(paths);
        return cluster;
    }

    private static void AddNode(SandboxOptions options, SandboxPaths paths, ClusterParts parts, NodeAddressPlan node)
    {
        paths.NodeDirectories(node.Node).Create();
        BpfFileSystem.Ensure(paths.NodeBpffs(node.Node));
        CgroupDirectory.Create(paths.NodeCgroup(node.Node));
        var network = parts.Network!.AddNode(node);
        parts.Add(new SandboxNode(paths, node, network, options));
    }
}
