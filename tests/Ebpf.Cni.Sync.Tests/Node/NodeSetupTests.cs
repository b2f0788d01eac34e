using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>The node's own settings, in a namespace of its own.</summary>
public class NodeSetupTests
{
    [Fact]
    public void Only_families_that_have_pods_are_forwarded()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() => new NodeSetup(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance).Run([AddressFamily.InterNetwork]));
        Assert.Equal(("1", "0"), node.Run(() => (Read("ipv4/ip_forward"), Read("ipv6/conf/all/forwarding"))));
    }

    [Fact]
    public void A_node_that_lives_by_router_advertisements_goes_on_listening_to_them()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddVeth("up0", "up1");
            netlink.AddVeth("fixed0", "fixed1");
            File.WriteAllText("/proc/sys/net/ipv6/conf/up0/accept_ra", "1");
            File.WriteAllText("/proc/sys/net/ipv6/conf/fixed0/accept_ra", "0");
            new NodeSetup(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance).Run([AddressFamily.InterNetworkV6]);
            Assert.Equal(("1", "2", "0"),
                (Read("ipv6/conf/all/forwarding"), Read("ipv6/conf/up0/accept_ra"), Read("ipv6/conf/fixed0/accept_ra")));
        });
    }

    [Fact]
    public void Forwarding_that_somebody_switches_off_comes_back()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            var setup = new NodeSetup(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance);
            AddressFamily[] both = [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];
            setup.Run(both);
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "0");
            File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "0");
            setup.Run(both);
            Assert.Equal(("1", "1"), (Read("ipv4/ip_forward"), Read("ipv6/conf/all/forwarding")));
        });
    }

    [Fact]
    public void Packets_of_the_nodes_own_need_three_settings_of_loopback_and_no_other_devices()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        var (before, after) = node.Run(() =>
        {
            var settings = Settings();
            new NodeSetup(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance).TranslateOwnPackets();
            return (settings, Settings());
        });
        Assert.Equal(
            ["/proc/sys/net/ipv4/conf/lo/accept_local 1", "/proc/sys/net/ipv4/conf/lo/route_localnet 1",
                "/proc/sys/net/ipv4/conf/lo/rp_filter 2"],
            after.Except(before).Order(StringComparer.Ordinal));

        static List<string> Settings() =>
            [.. Directory.EnumerateFiles("/proc/sys/net/ipv4/conf", "*", SearchOption.AllDirectories)
                .Where(f => File.GetUnixFileMode(f).HasFlag(UnixFileMode.UserRead))
                .Select(f => $"{f} {File.ReadAllText(f).Trim()}")];
    }

    private static string Read(string name) => File.ReadAllText("/proc/sys/net/" + name).Trim();
}
