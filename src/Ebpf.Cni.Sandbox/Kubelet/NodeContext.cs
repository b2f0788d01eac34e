using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>What everything on a node shares.</summary>
internal sealed record NodeContext(SandboxPaths Paths, NodeAddresses Addresses, NetworkNamespace Namespace, ApiClient Api, TimeProvider Time)
{
    public string Name => Addresses.Node;

    /// <summary>The node's own, beside those that every node has.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<IPAddress> HostAddresses => [Addresses.V4, Addresses.V6];

    public NodeDirectories Directories { get; } = Paths.NodeDirectories(Addresses.Node);

    public CniRuntime Cni { get; } =
        new(Paths.NodeDirectories(Addresses.Node), Namespace, Path.Combine(Paths.NodeCgroup(Addresses.Node), "kubelet"));

    public EventWriter Events { get; } = new(Api, Addresses.Node, Time);

    /// <summary>Where a container's output goes, one file a start.</summary>
    public string LogDirectory(string podUid, string container) => Path.Combine(PodLogDirectory(podUid), container);

    public string PodLogDirectory(string podUid) => Path.Combine(Directories.Logs, "pods", podUid);

    /// <summary>RFC 3339 in seconds, as the API writes times.</summary>
    public string Now() => Timestamps.Text(Time.GetUtcNow());
}

internal static class Timestamps
{
    public static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
