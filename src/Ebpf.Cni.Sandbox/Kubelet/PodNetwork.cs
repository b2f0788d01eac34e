using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>A pod's network namespace, wired by the node's CNI plugins; or the node's own, for a pod that shares it.</summary>
internal sealed class PodNetwork
{
    private readonly KubeletContext _node;
    private readonly CniConfiguration? _list;
    private readonly CniAttachment? _attachment;
    private readonly JsonObject? _result;

    private PodNetwork(KubeletContext node, IReadOnlyList<IPAddress> addresses)
    {
        _node = node;
        Namespace = node.Namespace;
        Addresses = new PodAddresses(addresses, node.HostAddresses);
    }

    private PodNetwork(KubeletContext node, NetworkNamespace made, CniConfiguration list, CniAttachment attachment, JsonObject result)
        : this(node, CniRuntime.AddressesOf(result))
    {
        Namespace = made;
        _list = list;
        _attachment = attachment;
        _result = result;
    }

    public NetworkNamespace Namespace { get; }

    public PodAddresses Addresses { get; }

    /// <summary>The network of a pod with hostNetwork.</summary>
    public static PodNetwork OfNode(KubeletContext node) => new(node, node.HostAddresses);

    /// <summary>Makes the namespace and adds it. On failure everything is undone, by DEL too, as runtimes do.</summary>
    /// <exception cref="CniPluginException">A plugin refused, or gave the pod no address.</exception>
    public static async Task<PodNetwork> CreateAsync(KubeletContext node, CniConfiguration list, JsonObject pod, CancellationToken ct)
    {
        var path = node.Paths.PodNamespace(pod.Uid());
        var attachment = new CniAttachment(Guid.NewGuid().ToString("N"), path, pod.Namespace(), pod.Name(), pod.Uid())
        {
            RuntimeConfig = RuntimeConfigOf(pod),
        };
        var made = NetworkNamespace.Create(path);
        try
        {
            node.Mounts.Show(made, path);
            var result = await node.Cni.AddAsync(list, attachment, ct);
            var network = new PodNetwork(node, made, list, attachment, result);
            return network.Addresses.Pod.Count > 0 ? network : throw new CniPluginException(list.Name, "gave the pod no address");
        }
        catch
        {
            await TryDeleteAsync(node, list, attachment, null);
            made.Dispose();
            NetworkNamespace.Remove(path);
            throw;
        }
    }

    /// <summary>DEL, and the namespace goes. What the plugins say then is only told, never in the way.</summary>
    /// <returns>The plugins' complaint, or null.</returns>
    public async Task<string?> RemoveAsync()
    {
        if (_attachment is null)
            return null;
        var complaint = await TryDeleteAsync(_node, _list!, _attachment, _result);
        Namespace.Dispose();
        NetworkNamespace.Remove(_attachment.NamespacePath);
        return complaint;
    }

    // without ports there is nothing to map, and nothing is offered
    private static JsonObject RuntimeConfigOf(JsonObject pod)
    {
        var mappings = new JsonArray();
        foreach (var port in pod.Containers().SelectMany(c => c.Items("ports")).Where(p => p.Number("hostPort") is not (null or 0)))
            mappings.Add((JsonNode)new JsonObject
            {
                ["hostPort"] = port.Number("hostPort"),
                ["containerPort"] = port.Number("containerPort"),
                ["protocol"] = (port.Text("protocol") ?? "TCP").ToLowerInvariant(),
                ["hostIP"] = port.Text("hostIP") ?? "",
            });
        return mappings.Count > 0 ? new JsonObject { ["portMappings"] = mappings } : [];
    }

    private static async Task<string?> TryDeleteAsync(
        KubeletContext node, CniConfiguration list, CniAttachment attachment, JsonObject? result)
    {
        try
        {
            await node.Cni.DeleteAsync(list, attachment, result, CancellationToken.None);
            return null;
        }
        catch (CniPluginException e)
        {
            return e.Message;
        }
    }
}
