using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// A pod's veth as the CNI plugin wires it: single addresses, the gateway's and the pod's MAC addresses fixed on both sides, and the pod
/// programs on the node's side.
/// </summary>
internal static class PodWire
{
    /// <param name="node">The node's namespace.</param>
    /// <param name="programs">The node's.</param>
    /// <param name="pod">The pod's namespace.</param>
    /// <param name="name">Of the node's side.</param>
    /// <param name="own">Takes the programs' links.</param>
    public static void Join(NetworkNamespace node, PodPrograms programs, NetworkNamespace pod, string name, string v4, string v6,
        Action<IDisposable> own, int mtu = 1500)
    {
        using var netlink = RouteNetlink.Open(node);
        using var inside = RouteNetlink.Open(pod);
        netlink.AddVeth(name, "eth0", pod, mtu: mtu);
        var host = netlink.FindLink(name)!;
        var eth = inside.FindLink("eth0")!;
        netlink.SetUp(host.Index);
        inside.SetUp(eth.Index);
        foreach (var (text, gatewayText) in new[] { (v4, Address.Gateway4), (v6, Address.Gateway6) })
        {
            var address = IPAddress.Parse(text);
            var gateway = IPAddress.Parse(gatewayText);
            var bits = address.GetAddressBytes().Length * 8;
            inside.AddAddress(eth.Index, address, bits);
            inside.ReplaceNeighbour(eth.Index, gateway, host.Mac);
            inside.ReplaceRoute(new Route(new IPNetwork(bits == 32 ? IPAddress.Any : IPAddress.IPv6Any, 0), eth.Index)
                { Gateway = gateway, OnLink = true });
            netlink.ReplaceRoute(new Route(new IPNetwork(address, bits), host.Index));
            netlink.ReplaceNeighbour(host.Index, address, eth.Mac);
            programs.AddPod(text, (uint)host.Index, MacAddr.FromBytes(eth.Mac), MacAddr.FromBytes(host.Mac));
        }
        node.Run(() => programs.Attach(host.Index).ForEach(own));
        WaitRunning(netlink, name);
        WaitRunning(inside, "eth0");
    }

    /// <summary>
    /// A device that was just switched on discards what it is given to send until the kernel's link watch has made its queue.
    /// </summary>
    public static void WaitRunning(RouteNetlink netlink, string name) =>
        Assert.True(SpinWait.SpinUntil(() => netlink.FindLink(name)!.Running, TimeSpan.FromSeconds(10)), $"{name} is not running");
}
