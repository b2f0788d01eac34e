using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Kubelet;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>A running sandbox, as any process on the machine can use it: its API, and the insides of its nodes and pods.</summary>
public class SandboxView : IDisposable
{
    internal SandboxView(SandboxPaths paths, Uri api, IReadOnlyList<string> nodes)
    {
        Paths = paths;
        NodeNames = nodes;
        Client = new ApiClient(api);
    }

    public string Name => Paths.Name;

    public Uri ApiAddress => Client.Address;

    /// <summary>For kubectl on this machine.</summary>
    public string KubeconfigPath => Paths.KubeconfigFile;

    public IReadOnlyList<string> NodeNames { get; }

    public ApiClient Client { get; }

    internal SandboxPaths Paths { get; }

    /// <summary>The sandbox of this name that another process runs.</summary>
    /// <exception cref="InvalidOperationException">None runs.</exception>
    public static SandboxView Open(string name)
    {
        var paths = new SandboxPaths(name);
        return SandboxRecord.Read(paths) is { Ready: true, Api: { } api } record && record.Owner.IsAlive
            ? new SandboxView(paths, api, record.Nodes)
            : throw new InvalidOperationException($"no sandbox '{name}' is running");
    }

    /// <summary>Creates or changes what a manifest describes.</summary>
    /// <param name="manifest">YAML or JSON, or the path of a file of it.</param>
    /// <returns>The objects as the API stored them.</returns>
    public async Task<IReadOnlyList<JsonObject>> ApplyAsync(string manifest, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var text = manifest.Contains('\n', StringComparison.Ordinal) ? manifest : await File.ReadAllTextAsync(manifest, ct);
        var stored = new List<JsonObject>();
        foreach (var document in YamlManifests.Parse(text))
            stored.Add(await Client.ApplyAsync(document, ct));
        return stored;
    }

    /// <inheritdoc cref="Waiting.WaitForPodsReadyAsync"/>
    public Task<IReadOnlyList<JsonObject>> WaitForPodsReady(
        string labels, int count, TimeSpan? limit = null, CancellationToken ct = default) =>
        Client.WaitForPodsReadyAsync(labels, count, "default", limit, ct);

    /// <summary>Runs a command in a pod's network namespace and cgroup, with its first container's environment, to its end.</summary>
    /// <param name="pod">NAME or NAMESPACE/NAME.</param>
    /// <exception cref="InvalidOperationException">There is no such pod, or it has no network yet.</exception>
    public async Task<ExecResult> ExecAsync(string pod, IReadOnlyList<string> command, string input = "", CancellationToken ct = default)
    {
        var (plan, network) = await PlanAsync(pod, command, ct);
        using (network)
            return await NodeProcess.RunAsync(plan, input, ct);
    }

    /// <summary>Runs a command on a node, to its end: in its network namespace and below its cgroup, with its files.</summary>
    public async Task<ExecResult> ExecOnNodeAsync(
        string node, IReadOnlyList<string> command, string input = "", CancellationToken ct = default)
    {
        using var network = NetworkNamespace.Open(Paths.NodeNamespace(node));
        var plan = new ProcessPlan(network, Path.Combine(Paths.NodeCgroup(node), "exec"), command)
            { Mounts = NodeMounts.Find(Paths.NodeDirectories(node)) };
        return await NodeProcess.RunAsync(plan, input, ct);
    }

    /// <summary>The metrics of a node's agent, in Prometheus' text format.</summary>
    public Task<string> MetricsAsync(string node, CancellationToken ct = default) => Client.TextAsync(NodeEndpoint.MetricsPath(node), ct);

    /// <summary>What would run the command in the pod; the caller disposes the namespace after starting it.</summary>
    internal async Task<(ProcessPlan Plan, NetworkNamespace Network)> PlanAsync(
        string pod, IReadOnlyList<string> command, CancellationToken ct)
    {
        var (ns, name) = pod.Split('/') is [var first, var second] ? (first, second) : ("default", pod);
        var found = await Client.FindAsync(ResourceTypes.Pods, ns, name, ct);
        if (found?.Text("spec", "nodeName") is not { } node || found.Text("status", "podIP") is null)
            throw new InvalidOperationException(found is null ? $"there is no pod {ns}/{name}" : $"the pod {ns}/{name} does not run yet");
        var path = found.Flag("spec", "hostNetwork") == true ? Paths.NodeNamespace(node) : Paths.PodNamespace(found.Uid());
        var plan = new ProcessPlan(NetworkNamespace.Open(path), Path.Combine(Paths.PodCgroup(node, found.Uid()), "exec"), command)
        {
            Environment = ContainerEnvironment.Build(found, found.Items("spec", "containers").First(), AddressesOf(found)),
        };
        return (plan, plan.Namespace);
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
            Client.Dispose();
    }

    private static PodAddresses AddressesOf(JsonObject pod) => new(Addresses(pod, "podIPs"), Addresses(pod, "hostIPs"));

    private static List<IPAddress> Addresses(JsonObject pod, string field) =>
        [.. pod.Items("status", field).Select(entry => entry.Text("ip")).OfType<string>().Select(IPAddress.Parse)];
}
