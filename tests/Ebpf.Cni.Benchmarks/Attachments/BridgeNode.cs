using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Benchmarks.Attachments;

/// <summary>
/// A node for Debian's bridge and host-local plugins: an empty namespace, and a directory for the addresses that they gave out.
/// </summary>
internal sealed class BridgeNode : IDisposable
{
    private const string PathOfNode = "/run/netns/ecni-bench-bridge", Plugins = "/usr/lib/cni";
    private readonly NetworkNamespace _node;
    private readonly string _data = Directory.CreateTempSubdirectory("ecni-bench-").FullName;

    public BridgeNode()
    {
        NetworkNamespace.Remove(PathOfNode);
        _node = NetworkNamespace.Create(PathOfNode);
        _node.Run(() => Sysctl.Ensure("net.ipv4.ip_forward", "1"));
    }

    /// <param name="name">Also the bridge's, behind "cni-".</param>
    public PluginAttacher Attacher(string title, string name, params string[] subnets) => new(title, _node, Plugins, new JsonObject
    {
        ["cniVersion"] = "1.0.0",
        ["name"] = name,
        ["type"] = "bridge",
        ["bridge"] = "cni-" + name,
        ["isGateway"] = true,
        ["ipam"] = new JsonObject
        {
            ["type"] = "host-local",
            ["ranges"] = new JsonArray([.. subnets.Select(s => (JsonNode)new JsonArray(new JsonObject { ["subnet"] = s }))]),
            ["routes"] = new JsonArray(
                [.. subnets.Select(s => (JsonNode)new JsonObject
                { ["dst"] = s.Contains(':', StringComparison.Ordinal) ? "::/0" : "0.0.0.0/0" })]),
            ["dataDir"] = _data,
        },
    });

    public void Dispose()
    {
        _node.Dispose();
        NetworkNamespace.Remove(PathOfNode);
        Directory.Delete(_data, recursive: true);
    }
}
