using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>Everything on a node that pods leave traces in.</summary>
internal static class NodeTraces
{
    private const byte OurRoutes = 0x65;

    /// <summary>
    /// Links, our routes, pins of links, endpoint files and the number of endpoint entries, a line each: equal before a pod and after it.
    /// </summary>
    public static async Task<List<string>> Read(SandboxCluster cluster, SandboxNode node)
    {
        using var netlink = RouteNetlink.Open(node.Namespace);
        var tables = (await cluster.ExecOnNodeAsync(
            node.Name, ["bpftool", "map", "dump", "pinned", Path.Combine(SandboxNode.PinsOnNode, "maps", MapNames.Endpoint)])).Output;
        return [.. netlink.Links().Select(l => $"link {l.Name}")
            .Concat(netlink.Routes(OurRoutes).Select(r => $"route {r.Destination}"))
            .Concat(Directory.EnumerateFileSystemEntries(Path.Combine(node.BpffsRoot, "links"), "*", SearchOption.AllDirectories)
                .Select(p => $"pin {p}"))
            .Concat(Directory.EnumerateFiles(Path.Combine(node.Directories.State, "endpoints")).Select(f => $"file {f}"))
            .Append($"entries {tables.Split("\"key\"").Length - 1}").Order(StringComparer.Ordinal)];
    }
}
