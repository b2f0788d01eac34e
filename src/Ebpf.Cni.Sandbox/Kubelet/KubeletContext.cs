using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>What the parts of a node's kubelet share: addresses, directories, API, clock.</summary>
internal sealed record KubeletContext(
    SandboxPaths Paths, NodeAddressPlan Addresses, NetworkNamespace Namespace, ApiClient Api, TimeProvider Time)
{
    public string Name => Addresses.Node;

    /// <summary>What the node's file system looks like from inside.</summary>
    public required NodeMounts Mounts { get; init; }

    /// <summary>Runs the installation's pod, which is not the kubelet's then.</summary>
    public SystemPod? System { get; init; }

    /// <summary>The node's own, beside those that every node has.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<IPAddress> HostAddresses => [Addresses.V4, Addresses.V6];

    public NodeDirectories Directories { get; } = Paths.NodeDirectories(Addresses.Node);

    public CniRuntime Cni => new(Mounts, Namespace, Path.Combine(Paths.NodeCgroup(Addresses.Node), "kubelet"));

    public EventWriter Events { get; } = new(Api, Addresses.Node, Time);

    /// <summary>Where a container's output goes, one file a start.</summary>
    public string LogDirectory(string podUid, string container) => Path.Combine(PodLogDirectory(podUid), container);

    public string PodLogDirectory(string podUid) => Path.Combine(Directories.Logs, "pods", podUid);

    /// <summary>RFC 3339 in seconds, as the API writes times.</summary>
    public string Now() => Timestamps.Text(Time.GetUtcNow());
}

/// <summary>The pod of a DaemonSet that is run by another part than the kubelet.</summary>
/// <param name="Namespace">Of the DaemonSet.</param>
/// <param name="Name">Of the DaemonSet.</param>
/// <param name="ExecPlanAsync">How to run a command in its container; an <see cref="ApiException"/> where that does not run.</param>
internal sealed record SystemPod(
    string Namespace, string Name, Action<JsonObject> Present, Action<JsonObject> Gone, Func<ExecRequest, Task<ProcessPlan>> ExecPlanAsync)
{
    public bool IsThis(JsonObject pod) =>
        pod.Namespace() == Namespace && pod.Items("metadata", "ownerReferences")
            .Any(o => o.Text("kind") == "DaemonSet" && o.Text("name") == Name);
}
