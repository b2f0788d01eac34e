using System.Net;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Overlay;

/// <summary>
/// The VXLAN device of a node, in the network namespace of the calling thread. One serves all peers and both families, inside and outside:
/// its programs say whereto each packet goes. Its MAC address is the same on every node, so that no neighbour resolution is needed and
/// every node accepts every frame.
/// </summary>
public static class OverlayDevice
{
    /// <summary>Link-local, and of host scope: it is never announced, and no packet has it as its source.</summary>
    private static readonly IPAddress OwnAddress = new([169, 254, 1, 2]);

    /// <summary>bpf/lib/encap.h writes it into every frame.</summary>
    private static readonly byte[] Mac = [0x02, 0xec, 0xc0, 0x00, 0x00, 0x01];

    /// <summary>
    /// Makes the device what the options say. One that cannot be changed so is made anew, and is down then; one that is all right is not
    /// touched.
    /// </summary>
    /// <returns>Its interface index.</returns>
    /// <exception cref="DataplaneException">Something else has the name.</exception>
    /// <exception cref="KernelException">EEXIST if another device has the port; EOPNOTSUPP without the kernel's VXLAN.</exception>
    public static int Ensure(OverlayOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var netlink = RouteNetlink.Open();
        var link = netlink.FindLink(options.Name);
        if (link is { Vxlan: null })
            throw new DataplaneException(
                $"interface {options.Name} is a {(link.Kind.Length == 0 ? "device" : link.Kind)} not created by ebpf-cni: "
                + "rename or delete it");
        if (link is not null && !Serves(link, options))
        {
            netlink.DeleteLink(link.Index);
            link = null;
        }
        link ??= netlink.AddVxlan(options.Name, options.Port, Mac, options.Mtu);
        if (link.Mtu != options.Mtu)
            netlink.SetMtu(link.Index, options.Mtu);
        Configure(netlink, link, options.SysctlRoot);
        return link.Index;
    }

    /// <summary>Switches it on.</summary>
    public static void SetUp(int ifindex)
    {
        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(ifindex) is { Up: false })
            netlink.SetUp(ifindex);
    }

    /// <summary>Deletes it, and with it the routes that lead there; one that is gone, or not ours, is no error.</summary>
    public static void Remove(string name = OverlayOptions.DeviceName)
    {
        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(name) is not { Vxlan: not null } link)
            return;
        try
        {
            netlink.DeleteLink(link.Index);
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            // Another process was faster.
        }
    }

    private static bool Serves(LinkInfo link, OverlayOptions options) =>
        link is { NoArp: true, Vxlan: { External: true, Learning: false } vxlan } && vxlan.Port == options.Port
            && link.Mac.AsSpan().SequenceEqual(Mac);

    /// <summary>
    /// Packets of other nodes themselves, and replies with a Service's address as their source, arrive by the tunnel although the route to
    /// that source is another: reverse path filtering would drop them. Where it is on for all devices it can be made loose for one, if that
    /// has an address; a link-local one of host scope is enough. Router advertisements from the tunnel are not accepted.
    /// </summary>
    private static void Configure(RouteNetlink netlink, LinkInfo link, string settings)
    {
        var name = link.Name;
        var everywhere = Sysctl.Read("net/ipv4/conf/all/rp_filter", settings) != "0";
        if (everywhere && !netlink.Addresses(link.Index).Any(a => a.Address.Equals(OwnAddress)))
            netlink.AddAddress(link.Index, OwnAddress, 32, noPrefixRoute: true, scope: RouteScope.Host);
        Sysctl.Ensure($"net/ipv4/conf/{name}/rp_filter", everywhere ? "2" : "0", settings);
        try
        {
            Sysctl.Ensure($"net/ipv6/conf/{name}/disable_ipv6", "0", settings);
            Sysctl.Ensure($"net/ipv6/conf/{name}/accept_ra", "0", settings);
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            // A kernel without IPv6.
        }
    }
}
