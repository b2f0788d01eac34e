using System.Net;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// The machines' network: a bridge in a namespace of its own, and one namespace a node, joined by veths. All nodes are on
/// one link, dual-stack; the root namespace gets nothing.
/// </summary>
public sealed class NodeNetwork : IDisposable
{
    private const string Bridge = "fabric";
    private const string NodeLink = "eth0";
    private readonly SandboxPaths _paths;
    private readonly NetworkNamespace _fabric;
    private readonly int _bridge;
    private readonly Dictionary<string, NetworkNamespace> _nodes = [];

    private NodeNetwork(SandboxPaths paths, NetworkNamespace fabric, int bridge)
    {
        _paths = paths;
        _fabric = fabric;
        _bridge = bridge;
    }

    public static NodeNetwork Create(SandboxPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var fabric = NetworkNamespace.Create(paths.FabricNamespace);
        using var netlink = RouteNetlink.Open(fabric);
        fabric.Run(RefuseRouterAdvertisements);
        var bridge = netlink.AddBridge(Bridge);
        netlink.AddAddress(bridge.Index, NodeAddresses.GatewayV4, NodeAddresses.PrefixLengthV4);
        netlink.AddAddress(bridge.Index, NodeAddresses.GatewayV6, NodeAddresses.PrefixLengthV6);
        netlink.SetUp(bridge.Index);
        return new NodeNetwork(paths, fabric, bridge.Index);
    }

    /// <summary>Makes a node's namespace and plugs it in. The network owns the result.</summary>
    public NetworkNamespace AddNode(NodeAddresses node)
    {
        ArgumentNullException.ThrowIfNull(node);
        var made = NetworkNamespace.Create(_paths.NodeNamespace(node.Node));
        _nodes.Add(node.Node, made);
        made.Run(RefuseRouterAdvertisements);
        using var fabric = RouteNetlink.Open(_fabric);
        using var inside = RouteNetlink.Open(made);
        var port = fabric.AddVeth(node.Node, NodeLink, made);
        fabric.SetMaster(port.Index, _bridge);
        fabric.SetUp(port.Index);
        var link = inside.FindLink(NodeLink) ?? throw new InvalidOperationException($"the veth of {node.Node} has no other end");
        inside.AddAddress(link.Index, node.V4, NodeAddresses.PrefixLengthV4);
        inside.AddAddress(link.Index, node.V6, NodeAddresses.PrefixLengthV6);
        inside.SetUp(link.Index);
        inside.ReplaceRoute(DefaultRoute("0.0.0.0/0", link.Index, NodeAddresses.GatewayV4));
        inside.ReplaceRoute(DefaultRoute("::/0", link.Index, NodeAddresses.GatewayV6));
        return made;
    }

    /// <summary>Unbinds every namespace; links and addresses go with them.</summary>
    public void Dispose()
    {
        foreach (var (node, opened) in _nodes)
        {
            opened.Dispose();
            NetworkNamespace.Remove(_paths.NodeNamespace(node));
        }
        _nodes.Clear();
        _fabric.Dispose();
        NetworkNamespace.Remove(_paths.FabricNamespace);
    }

    private static Route DefaultRoute(string destination, int link, IPAddress gateway) =>
        new(IPNetwork.Parse(destination), link) { Gateway = gateway };

    // there is no router here; and what is not there cannot be waited for
    private static void RefuseRouterAdvertisements()
    {
        Sysctl.Ensure("net.ipv6.conf.default.accept_ra", "0");
        Sysctl.Ensure("net.ipv6.conf.default.accept_dad", "0");
    }
}
