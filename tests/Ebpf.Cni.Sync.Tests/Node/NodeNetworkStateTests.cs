using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;
using ProcessStartInfo = System.Diagnostics.ProcessStartInfo;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>
/// Read from real devices and routes, in a namespace of its own. Bonds and VLAN devices are made where the kernel has them.
/// </summary>
public class NodeNetworkStateTests(ITestOutputHelper log)
{
    [Fact]
    public void A_default_route_with_several_next_hops_leads_to_each_of_their_devices()
    {
        Requires.Root();
        using var ns = TwoNics();
        ns.Run(() =>
        {
            Ip("route add default nexthop via 10.1.0.2 dev a0 nexthop via 10.2.0.2 dev b0 nexthop via 10.2.0.3 dev b0");
            Assert.Equal("a0 b0", Uplinks());
            Ip("route del default");
            Ip("-6 route add default nexthop via fd01::2 dev a0 nexthop via fd02::2 dev b0");
            Assert.Equal("a0 b0", Uplinks());
        });
    }

    [Theory]
    [InlineData("1")]
    [InlineData("0")]
    public void So_does_one_with_next_hop_objects(string resolvedByTheKernel)
    {
        Requires.Root();
        using var ns = TwoNics();
        ns.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/nexthop_compat_mode", resolvedByTheKernel);
            Ip("nexthop add id 1 via 10.1.0.2 dev a0");
            Ip("nexthop add id 2 via 10.2.0.2 dev b0");
            Ip("nexthop add id 3 group 1/2");
            Ip("route add default nhid 1");
            Assert.Equal("a0", Uplinks());
            using var monitor = RouteMonitor.Open();
            Ip("nexthop replace id 1 via 10.2.0.3 dev b0");
            Assert.True(monitor.WaitForChangeAsync(TestContext.Current.CancellationToken).Wait(TimeSpan.FromSeconds(10)),
                "nobody told of the next hop");
            Assert.Equal("b0", Uplinks());
            Ip("nexthop replace id 1 via 10.1.0.2 dev a0");
            Ip("route replace default nhid 3");
            Assert.Equal("a0 b0", Uplinks());
        });
    }

    [Fact]
    public void A_device_without_Ethernet_headers_is_known_for_one()
    {
        Requires.Root();
        using var ns = TwoNics();
        ns.Run(() =>
        {
            Ip("tuntap add t0 mode tun");
            Ip("link set t0 up");
            Ip("route add default dev t0");
            var choice = UplinkChoice.Of(NodeNetworkState.Read(), [], [], UplinkMemory.None);
            Assert.Empty(choice.Devices);
            Assert.Equal("t0", Assert.Single(choice.Unfit).Name);
            Ip("tuntap add t1 mode tap");
            Ip("link set t1 up");
            Ip("route replace default dev t1");
            Assert.Equal("t1", Uplinks());
        });
    }

    [Theory]
    [InlineData("link add link a0 name a0.10 type vlan id 10", "a0.10")]
    [InlineData("link add link a0 name mac0 type macvlan mode bridge", "mac0")]
    [InlineData("link add br0 type bridge", "br0")]
    [InlineData("link add bond0 type bond", "bond0")]
    public void A_device_above_another_is_the_uplink_when_the_route_leads_over_it(string command, string name)
    {
        Requires.Root();
        using var ns = TwoNics();
        ns.Run(() =>
        {
            if (!TryIp(command, out var error))
            {
                log.WriteLine($"this kernel cannot make {name} ({error.Trim()}): what is chosen is tested without real devices alone");
                return;
            }

            Ip($"link set {name} up");
            Ip($"address add 10.3.0.1/24 dev {name}");
            if (name is "br0" or "bond0")
            {
                Ip("link set b0 down");
                Ip($"link set b0 master {name}");
                Ip("link set b0 up");
            }

            Ip($"route add default via 10.3.0.2 dev {name}");
            Assert.Equal(name, Uplinks());
        });
    }

    private static NetworkNamespace TwoNics()
    {
        var ns = NetworkNamespace.CreateAnonymous();
        ns.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            foreach (var (letter, number) in (ReadOnlySpan<(string, int)>)[("a", 1), ("b", 2)])
            {
                netlink.SetUp(netlink.AddVeth($"{letter}0", $"{letter}1").Index);
                netlink.SetUp(netlink.FindLink($"{letter}1")!.Index);
                netlink.AddAddress(netlink.FindLink($"{letter}0")!.Index, IPAddress.Parse($"10.{number}.0.1"), 24);
                netlink.AddAddress(netlink.FindLink($"{letter}0")!.Index, IPAddress.Parse($"fd0{number}::1"), 64);
            }
        });
        return ns;
    }

    private static string Uplinks() =>
        string.Join(' ', UplinkChoice.Of(NodeNetworkState.Read(), [], [], UplinkMemory.None).Devices.Select(d => d.Name)
            .Order(StringComparer.Ordinal));

    private static void Ip(string arguments) => Assert.True(TryIp(arguments, out var error), $"ip {arguments}: {error}");

    /// <summary>In the calling thread's namespace, which its children are born in.</summary>
    private static bool TryIp(string arguments, out string error)
    {
        using var ip = System.Diagnostics.Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        error = ip.StandardError.ReadToEnd();
        ip.WaitForExit();
        return ip.ExitCode == 0;
    }
}
