using System.Net;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// The machines' network: a bridge in a namespace of its own, one namespace a node, and one for all that is outside, joined
/// by veths. All are on one link, dual-stack; the root namespace gets nothing.
/// </summary>
public sealed class NodeNetwork : IDisposable
{
    private const string Bridge = "fabric";
    private const string NodeLink = "eth0";
    private const uint LocalTable = 255;
    private readonly SandboxPaths _paths;
    private readonly NetworkNamespace _fabric;
    private readonly int _bridge;
    private readonly Dictionary<string, NetworkNamespace> _nodes = [];

    private NodeNetwork(SandboxPaths paths, NetworkNamespace fabric, int bridge)
    {
        _paths = paths;
        _fabric = fabric;
        _bridge = bridge;
        Outside = AddOutside();
    }

    /// <summary>The router that the nodes' default routes lead to, and the world behind it. The network owns it.</summary>
    public NetworkNamespace Outside { get; }

    public static NodeNetwork Create(SandboxPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var fabric = NetworkNamespace.Create(paths.FabricNamespace);
        using var netlink = RouteNetlink.Open(fabric);
        fabric.Run(RefuseRouterAdvertisements);
        var bridge = netlink.AddBridge(Bridge);
        netlink.SetUp(bridge.Index);
        return new NodeNetwork(paths, fabric, bridge.Index);
    }

    /// <summary>Makes a node's namespace and plugs it in. The network owns the result.</summary>
    public NetworkNamespace AddNode(NodeAddresses node)
    {
        ArgumentNullException.ThrowIfNull(node);
        var made = NetworkNamespace.Create(_paths.NodeNamespace(node.Node));
        _nodes.Add(node.Node, made);
        using var inside = RouteNetlink.Open(made);
        var link = Plug(inside, made, node.Node, node.V4, node.V6);
        inside.ReplaceRoute(DefaultRoute("0.0.0.0/0", link, NodeAddresses.GatewayV4));
        inside.ReplaceRoute(DefaultRoute("::/0", link, NodeAddresses.GatewayV6));
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
        Outside.Dispose();
        NetworkNamespace.Remove(_paths.OutsideNamespace);
        _fabric.Dispose();
        NetworkNamespace.Remove(_paths.FabricNamespace);
    }

    private NetworkNamespace AddOutside()
    {
        var made = NetworkNamespace.Create(_paths.OutsideNamespace);
        using var inside = RouteNetlink.Open(made);
        Plug(inside, made, "outside", NodeAddresses.GatewayV4, NodeAddresses.GatewayV6);
        var loopback = inside.FindLink("lo") ?? throw new InvalidOperationException("a namespace without loopback");
        foreach (var world in (IPNetwork[])[OutsideAddresses.WorldV4, OutsideAddresses.WorldV6])
            inside.ReplaceRoute(new Route(world, loopback.Index) { Type = RouteType.Local, Table = LocalTable, Scope = RouteScope.Host });
        made.Run(() =>
        {
            // every address of the world can be a client's, without being assigned one by one
            Sysctl.Ensure("net.ipv4.ip_nonlocal_bind", "1");
            Sysctl.Ensure("net.ipv6.ip_nonlocal_bind", "1");
        });
        return made;
    }

    // the interface inside
    private int Plug(RouteNetlink inside, NetworkNamespace made, string name, IPAddress v4, IPAddress v6)
    {
        made.Run(RefuseRouterAdvertisements);
        using var fabric = RouteNetlink.Open(_fabric);
        var port = fabric.AddVeth(name, NodeLink, made);
        fabric.SetMaster(port.Index, _bridge);
        fabric.SetUp(port.Index);
        var link = inside.FindLink(NodeLink) ?? throw new InvalidOperationException($"the veth of {name} has no other end");
        inside.AddAddress(link.Index, v4, NodeAddresses.PrefixLengthV4);
        inside.AddAddress(link.Index, v6, NodeAddresses.PrefixLengthV6);
        inside.SetUp(link.Index);
        return link.Index;
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
