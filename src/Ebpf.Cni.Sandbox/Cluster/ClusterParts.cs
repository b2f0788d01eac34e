using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Controllers;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Kubelet;
using Ebpf.Cni.Sandbox.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>What a cluster is made of, in the order of its making; taken down in reverse, however far it came.</summary>
internal sealed class ClusterParts(SandboxPaths paths) : IAsyncDisposable
{
    private readonly Dictionary<string, SandboxNode> _nodes = [];
    private readonly Dictionary<string, NodeKubelet> _kubelets = [];
    private ControllerSet? _controllers;

    public FabricNetwork? Network { get; set; }

    public ApiServer? Api { get; private set; }

    public SandboxLoadBalancer? LoadBalancer { get; set; }

    public IReadOnlyDictionary<string, SandboxNode> Nodes => _nodes;

    public void Add(SandboxNode node) => _nodes.Add(node.Name, node);

    /// <summary>Serves the API on this machine's loopback, and on that of every node.</summary>
    public async Task StartApiAsync(SandboxOptions options, CancellationToken ct)
    {
        var certificate = ServingCertificate.Create();
        await File.WriteAllTextAsync(paths.AuthorityFile, certificate.ExportCertificatePem(), ct);
        var endpoint = new NodeEndpoint(name => _nodes.GetValueOrDefault(name));
        Api = await ApiServer.StartAsync(new ApiServerOptions
        {
            Port = options.ApiPort,
            Time = options.Time,
            ExtraListeners = [.. _nodes.Values.Select(node => NamespaceSockets.BindLoopback(node.Namespace, SandboxCluster.NodeApiPort))],
            SecureListeners = [.. _nodes.Values.Select(
                node => NamespaceSockets.BindLoopback(node.Namespace, SandboxCluster.NodeSecureApiPort))],
            Certificate = certificate,
            Logs = new KubeletLogs(name => _kubelets.GetValueOrDefault(name)),
            Streams = new KubeletStreams(name => _kubelets.GetValueOrDefault(name)),
            Extension = endpoint.AnswerAsync,
        });
        await Api.WriteKubeconfigAsync(paths.KubeconfigFile);
        _controllers = ControllerSet.Start(Api.Resources, NullLogger.Instance, options.Time);
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>Returns when all nodes are registered: a pod bound to a node that is not would be collected.</summary>
    public async Task StartKubeletsAsync(ApiClient client, InstallManifest? manifest, SandboxOptions options, CancellationToken ct)
    {
        foreach (var node in _nodes.Values)
        {
            await Api!.WriteKubeconfigAsync(node.Directories.Kubeconfig, new Uri($"http://127.0.0.1:{SandboxCluster.NodeApiPort}"));
            var context = new KubeletContext(paths, node.Addresses, node.Namespace, client, options.Time)
            {
                Labels = options.LabelsOf(_kubelets.Count),
                Mounts = node.Mounts,
                System = manifest is null ? null : SystemOf(manifest.DaemonSet, node.Agent),
            };
            node.Agent.Connect(context);
            _kubelets.Add(node.Name, NodeKubelet.Start(context));
        }
        await client.WaitAsync(ResourceTypes.Nodes, "", null, nodes => nodes.Count == _nodes.Count, "the nodes register", ct: ct);
    }

    private static SystemPod SystemOf(JsonObject set, AgentProcess agent) =>
        new(set.Namespace(), set.Name(), agent.Present, agent.Gone, agent.ExecPlanAsync);

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (LoadBalancer is not null)
                await LoadBalancer.DisposeAsync();
            if (_controllers is not null)
                await _controllers.DisposeAsync();
            await Task.WhenAll(_kubelets.Values.Select(kubelet => kubelet.DisposeAsync().AsTask()));
            await Task.WhenAll(_nodes.Values.Select(StopAgentAsync));
            if (Api is not null)
                await Api.DisposeAsync();
        }
        finally
        {
            foreach (var node in _nodes.Values)
            {
                node.Agent.Dispose();
                node.Mounts.Dispose();
            }
            Network?.Dispose();
            await SandboxCleanup.RemoveAsync(paths);
        }
    }

    private static async Task StopAgentAsync(SandboxNode node)
    {
        try
        {
            await node.StopAgentAsync();
        }
        catch (TimeoutException)
        {
            // it has been killed instead; what it left is removed with the node
        }
    }
}
