using System.Net;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// The machines' network: bridges in a namespace of their own, one namespace a node, and one for all that is outside, joined
/// by veths. A bridge is a link, dual-stack; between links the outside routes. The root namespace gets nothing.
/// </summary>
public sealed class FabricNetwork : IDisposable
{
    private const string NodeLink = "eth0";
    private const uint LocalTable = 255;
    private readonly SandboxPaths _paths;
    private readonly NetworkNamespace _fabric;
    private readonly Dictionary<LinkAddresses, int> _bridges = [];
    private readonly Dictionary<string, NetworkNamespace> _nodes = [];

    private FabricNetwork(SandboxPaths paths, NetworkNamespace fabric)
    {
        _paths = paths;
        _fabric = fabric;
        Outside = AddOutside();
        _ = Bridge(new LinkAddresses(0));
    }

    /// <summary>The router that the nodes' default routes lead to, and the world behind it. The network owns it.</summary>
    public NetworkNamespace Outside { get; }

    public static FabricNetwork Create(SandboxPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var fabric = NetworkNamespace.Create(paths.FabricNamespace);
        fabric.Run(RefuseRouterAdvertisements);
        return new FabricNetwork(paths, fabric);
    }

    /// <summary>Makes a node's namespace and plugs it in. The network owns the result.</summary>
    public NetworkNamespace AddNode(NodeAddressPlan node)
    {
        ArgumentNullException.ThrowIfNull(node);
        var made = NetworkNamespace.Create(_paths.NodeNamespace(node.Node));
        _nodes.Add(node.Node, made);
        made.Run(RefuseRouterAdvertisements);
        using var inside = RouteNetlink.Open(made);
        var link = Plug(inside, made, new End(node.Node, NodeLink, Bridge(node.Link), node.V4, node.V6));
        inside.ReplaceRoute(DefaultRoute("0.0.0.0/0", link, node.Link.GatewayV4));
        inside.ReplaceRoute(DefaultRoute("::/0", link, node.Link.GatewayV6));
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
        made.Run(RefuseRouterAdvertisements);
        using var inside = RouteNetlink.Open(made);
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

    /// <summary>The link's bridge, made and joined to the router when it is the first time.</summary>
    private int Bridge(LinkAddresses link)
    {
        if (_bridges.TryGetValue(link, out var known))
            return known;
        using var fabric = RouteNetlink.Open(_fabric);
        var bridge = fabric.AddBridge(link.Bridge).Index;
        fabric.SetUp(bridge);
        _bridges.Add(link, bridge);
        using var router = RouteNetlink.Open(Outside);
        var name = link.Number == 0 ? "outside" : $"outside{link.Number}";
        Plug(router, Outside, new End(name, link.RouterDevice, bridge, link.GatewayV4, link.GatewayV6));
        if (_bridges.Count > 1)
            Outside.Run(Forward);
        return bridge;
    }

    /// <summary>
    /// From link to link. What it knows of pods it is told (<see cref="Cluster.SandboxOutside.Route(IPNetwork, string)"/>), or nothing.
    /// </summary>
    private static void Forward()
    {
        Sysctl.Ensure("net.ipv4.ip_forward", "1");
        Sysctl.Ensure("net.ipv6.conf.all.forwarding", "1");
    }

    /// <param name="Name">Of the bridge's port.</param>
    /// <param name="Device">Inside.</param>
    private sealed record End(string Name, string Device, int Bridge, IPAddress V4, IPAddress V6);

    // the interface inside
    private int Plug(RouteNetlink inside, NetworkNamespace made, End end)
    {
        using var fabric = RouteNetlink.Open(_fabric);
        var port = fabric.AddVeth(end.Name, end.Device, made);
        fabric.SetMaster(port.Index, end.Bridge);
        fabric.SetUp(port.Index);
        var link = inside.FindLink(end.Device) ?? throw new InvalidOperationException($"the veth of {end.Name} has no other end");
        inside.AddAddress(link.Index, end.V4, LinkAddresses.PrefixLengthV4);
        inside.AddAddress(link.Index, end.V6, LinkAddresses.PrefixLengthV6);
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
