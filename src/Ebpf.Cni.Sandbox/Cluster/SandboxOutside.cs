using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Fabric;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>
/// What is not in the cluster: the router that the nodes' default routes lead to (<see cref="LinkAddresses.GatewayV4"/>) and the world
/// behind it (<see cref="OutsideAddresses"/>), in one namespace without agent or CNI. It knows the nodes' links, and of the cluster's own
/// ranges only what it is told by <see cref="Route(IPNetwork, string)"/>, as an upstream router is by BGP or a load balancer by its
/// targets.
/// </summary>
public sealed class SandboxOutside
{
    private readonly SandboxPaths _paths;
    private readonly IReadOnlyDictionary<string, SandboxNode> _nodes;

    internal SandboxOutside(SandboxPaths paths, NetworkNamespace network, IReadOnlyDictionary<string, SandboxNode> nodes)
    {
        _paths = paths;
        _nodes = nodes;
        Namespace = network;
    }

    public NetworkNamespace Namespace { get; }

    public string NamespacePath => _paths.OutsideNamespace;

    /// <summary>Runs a command there, to its end.</summary>
    public Task<ExecResult> ExecAsync(IReadOnlyList<string> command, string input = "", CancellationToken ct = default) =>
        NodeProcess.RunAsync(new ProcessPlan(Namespace, _paths.OutsideCgroup, command), input, ct);

    /// <summary>Packets to these addresses go to the node from now on, whichever they went to before.</summary>
    /// <param name="destination">A service, load balancer, external or pod range, of either family.</param>
    public void Route(IPNetwork destination, string node)
    {
        using var netlink = RouteNetlink.Open(Namespace);
        netlink.ReplaceRoute(To(netlink, destination, node));
    }

    /// <inheritdoc cref="Route(IPNetwork, string)"/>
    public void Route(IPAddress destination, string node) => Route(Alone(destination), node);

    /// <summary>Forgets a route; one that is not there is no error.</summary>
    public void Unroute(IPNetwork destination)
    {
        using var netlink = RouteNetlink.Open(Namespace);
        foreach (var route in netlink.Routes().Where(route => route.Destination.Equals(destination)).ToList())
            netlink.DeleteRoute(route);
    }

    /// <inheritdoc cref="Unroute(IPNetwork)"/>
    public void Unroute(IPAddress destination) => Unroute(Alone(destination));

    private Route To(RouteNetlink netlink, IPNetwork destination, string node)
    {
        var addresses = _nodes[node].Addresses;
        var link = netlink.FindLink(addresses.Link.RouterDevice) ?? throw new InvalidOperationException("outside has lost its link");
        var gateway = destination.BaseAddress.AddressFamily == addresses.V4.AddressFamily ? addresses.V4 : addresses.V6;
        return new Route(destination, link.Index) { Gateway = gateway };
    }

    private static IPNetwork Alone(IPAddress address) => new(address, address.GetAddressBytes().Length * 8);
}
