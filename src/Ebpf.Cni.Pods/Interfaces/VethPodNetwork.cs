using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Pods on routed veths. Host side: a single route and a permanent neighbour for each address. Pod's side: everything through
/// <see cref="PodWiring.Gateway"/>, whose permanent neighbour is the host side.
/// </summary>
public sealed class VethPodNetwork(IPodMtu mtu, SysctlTree sysctl) : IPodNetwork
{
    public bool NamespaceExists(string netns)
    {
        try
        {
            using var found = NetworkNamespace.Open(netns);
            return true;
        }
        catch (KernelException e) when (e.Errno is Errno.ENOENT or Errno.EINVAL or Errno.ENOTDIR or Errno.EACCES)
        {
            return false;
        }
    }

    public bool NamespaceIsGone(string netns)
    {
        ArgumentNullException.ThrowIfNull(netns);
        // /proc/PID/ns/net goes with the process, not with the namespace. And where a whole directory is missing, it is this process that
        // cannot see it: pods must not die of a mount that was forgotten.
        return !netns.StartsWith("/proc/", StringComparison.Ordinal) && !Path.Exists(netns)
            && Directory.Exists(Path.GetDirectoryName(netns));
    }

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) => ChainedInterfaces.Find(netns, ifname);

    public int Mtu() => mtu.Value;

    public HostLink CreateLink(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        DeleteLink(endpoint.Key);
        using var netns = NetworkNamespace.Open(endpoint.Netns);
        using var netlink = RouteNetlink.Open();
        var key = endpoint.Key;
        if (endpoint.PodMac.AsSpan().SequenceEqual(endpoint.HostMac))
            throw new InvalidOperationException($"the requested MAC address {endpoint.Mac} is the node's on this link");
        var link = netlink.AddVeth(key.HostInterface, endpoint.Ifname, netns, endpoint.HostMac, endpoint.PodMac, endpoint.Mtu);
        netlink.SetAlias(link.Index, key.Alias(endpoint.Pod));
        return new HostLink(link.Index, link.Name);
    }

    public HostLink? FindHostLink(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        using var netlink = RouteNetlink.Open();
        // By what we wrote on it, not by its MAC address, which udev may have changed: that would be no reason to take a living pod for
        // dead.
        return netlink.FindLink(endpoint.Key.HostInterface) is { } link
            && (EndpointKey.IsOurs(link.Name, link.Alias) || link.Mac.AsSpan().SequenceEqual(endpoint.HostMac))
            ? new HostLink(link.Index, link.Name)
            : null;
    }

    public EndpointRecord Current(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(endpoint.Key.HostInterface) is not { Mac.Length: 6 } link || link.Mac.AsSpan().SequenceEqual(endpoint.HostMac))
            return endpoint;
        return endpoint with { NodeMac = MacAddr.FromBytes(link.Mac).ToString() };
    }

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints)
    {
        using var netlink = RouteNetlink.Open();
        return LinkCheck.Disconnected(netlink, sysctl, endpoints);
    }

    public bool HasPodSide(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (!NamespaceExists(endpoint.Netns))
            return false;
        using var netns = NetworkNamespace.Open(endpoint.Netns);
        using var netlink = RouteNetlink.Open(netns);
        return netlink.FindLink(endpoint.Ifname) is { } link && link.Mac.AsSpan().SequenceEqual(endpoint.PodMac);
    }

    public void ConfigurePod(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        using var netns = NetworkNamespace.Open(endpoint.Netns);
        netns.Run(() => ConfigureInside(endpoint));
    }

    public void ConnectHost(EndpointRecord endpoint, HostLink link)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        HostSideSettings.Apply(
            sysctl, link.Name, Addresses(endpoint).Any(a => a.AddressFamily == AddressFamily.InterNetwork),
            Addresses(endpoint).Any(a => a.AddressFamily == AddressFamily.InterNetworkV6));
        using var netlink = RouteNetlink.Open();
        PodShaping.Apply(netlink, link.Ifindex, PodShaping.Ingress(endpoint));
        netlink.SetUp(link.Ifindex);
        foreach (var address in Addresses(endpoint))
        {
            netlink.ReplaceNeighbour(link.Ifindex, address, endpoint.PodMac);
            netlink.ReplaceRoute(HostRoute(address, link.Ifindex));
        }
        WaitRunning(netlink, link.Ifindex);
    }

    public void DeleteLink(EndpointKey key)
    {
        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(key.HostInterface) is not { } link)
            return;
        try
        {
            netlink.DeleteLink(link.Index);
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            // The namespace went away in between and took the pair with it.
        }
    }

    public IReadOnlyList<string> Differences(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var differences = new List<string>();
        using (var netlink = RouteNetlink.Open())
            LinkCheck.HostSide(netlink, endpoint, differences);
        if (!NamespaceExists(endpoint.Netns))
            return [.. differences, $"there is no network namespace at {endpoint.Netns}"];
        using var netns = NetworkNamespace.Open(endpoint.Netns);
        using (var netlink = RouteNetlink.Open(netns))
            LinkCheck.PodSide(netlink, endpoint, differences);
        return differences;
    }

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints)
    {
        using var netlink = RouteNetlink.Open();
        return OrphanRemoval.Run(netlink, endpoints);
    }

    /// <summary>
    /// A device that was just switched on discards what it is given to send until the kernel's link watch has made its queue, a moment
    /// later: the pod's first packets would be lost. If that takes long, the pod is not held up for it.
    /// </summary>
    private static void WaitRunning(RouteNetlink netlink, int ifindex) =>
        SpinWait.SpinUntil(() => netlink.FindLink(ifindex)?.Running != false, TimeSpan.FromMilliseconds(200));

    internal static IEnumerable<IPAddress> Addresses(EndpointRecord endpoint) => endpoint.Addresses.Select(IPAddress.Parse);

    internal static Route HostRoute(IPAddress address, int ifindex) =>
        new(new IPNetwork(address, PodWiring.FullPrefix(address.AddressFamily)), ifindex) { Protocol = PodWiring.RouteProtocol };

    internal static Route DefaultRoute(AddressFamily family, int ifindex) =>
        new(PodWiring.DefaultRoute(family), ifindex)
            { Gateway = PodWiring.Gateway(family), OnLink = true, Protocol = PodWiring.RouteProtocol };

    private void ConfigureInside(EndpointRecord endpoint)
    {
        using var netlink = RouteNetlink.Open();
        var link = netlink.FindLink(endpoint.Ifname)
            ?? throw new KernelException($"find {endpoint.Ifname} in {endpoint.Netns}", Errno.ENODEV);
        if (Addresses(endpoint).Any(a => a.AddressFamily == AddressFamily.InterNetworkV6))
        {
            sysctl.Ensure($"ipv6/conf/{endpoint.Ifname}/disable_ipv6", "0");
            // The address is ours alone, and nothing but the host is on the wire: no duplicate address detection is needed.
            sysctl.Ensure($"ipv6/conf/{endpoint.Ifname}/accept_dad", "0");
            sysctl.Ensure($"ipv6/conf/{endpoint.Ifname}/accept_ra", "0");
        }

        PodShaping.Apply(netlink, link.Index, PodShaping.Egress(endpoint));
        foreach (var address in Addresses(endpoint))
            AddAddress(netlink, link.Index, address);
        netlink.SetUp(link.Index);
        foreach (var family in Addresses(endpoint).Select(a => a.AddressFamily).Distinct())
        {
            netlink.ReplaceNeighbour(link.Index, PodWiring.Gateway(family), endpoint.HostMac);
            netlink.ReplaceRoute(DefaultRoute(family, link.Index));
        }
    }

    private static void AddAddress(RouteNetlink netlink, int ifindex, IPAddress address)
    {
        try
        {
            netlink.AddAddress(ifindex, address, PodWiring.FullPrefix(address.AddressFamily), noDad: true);
        }
        catch (KernelException e) when (e.Errno == Errno.EEXIST)
        {
            // A repeated ADD.
        }
    }
}
