using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>What is set on the node for a pod, and that pods work whatever else is set there.</summary>
public class HostSideTests
{
    private const string Conf = "/proc/sys/net";

    [Fact]
    public async Task Nothing_but_the_pods_own_device_is_set()
    {
        using var town = await Pair.Make();
        var before = town.Node.Namespace.Run(Settings);
        town.Node.Pod("c");
        await town.Node.Run("ADD", "c");
        var after = town.Node.Namespace.Run(Settings);
        Assert.All(before, s => Assert.Contains(s, after));
        Assert.NotEmpty(after.Except(before)); // the detector sees the device's own
        Assert.All(after.Except(before), s => Assert.Contains("/conf/ecni", s, StringComparison.Ordinal));
        await town.Node.Run("DEL", "c");
        Assert.Equal(before, town.Node.Namespace.Run(Settings));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public async Task Reverse_path_filters_need_not_be_touched(string filter)
    {
        using var town = await Pair.Make(() =>
        {
            File.WriteAllText($"{Conf}/ipv4/conf/all/rp_filter", filter);
            File.WriteAllText($"{Conf}/ipv4/conf/default/rp_filter", filter);
        });
        Assert.Equal(filter, town.Node.Namespace.Run(() => Only("ipv4", "rp_filter")));
        Assert.Equal("hello", Pair.Talk(town.Node.Namespace, town.A.Namespace, IPAddress.Parse(town.A.V4)));
        Assert.Equal("hello", Pair.Talk(town.A.Namespace, town.Node.Namespace, IPAddress.Parse(Pair.Node4)));
        Assert.Equal("hello", Pair.Talk(town.A.Namespace, town.B.Namespace, IPAddress.Parse(town.B.V4)));
    }

    [Fact]
    public async Task Whatever_devices_are_born_with_a_pods_device_forwards_and_neither_believes_nor_speaks_for_others()
    {
        using var town = await Pair.Make(() =>
        {
            foreach (var (name, value) in ((string, string)[])
                [
                    ("ipv4/conf/default/forwarding", "0"), ("ipv4/conf/default/proxy_arp", "1"),
                        ("ipv4/conf/default/accept_redirects", "1"),
                    ("ipv4/conf/default/send_redirects", "1"), ("ipv6/conf/default/forwarding", "0"), ("ipv6/conf/default/accept_ra", "2"),
                    ("ipv6/conf/default/accept_redirects", "1"), ("ipv6/conf/default/proxy_ndp", "1"),
                ])
                File.WriteAllText($"{Conf}/{name}", value);
        });
        Assert.Equal(
            "1 0 0 0 1 0 0 0",
            town.Node.Namespace.Run(() => string.Join(
                ' ', Only("ipv4", "forwarding"), Only("ipv4", "proxy_arp"), Only("ipv4", "accept_redirects"),
                Only("ipv4", "send_redirects"),
                Only("ipv6", "forwarding"), Only("ipv6", "accept_ra"), Only("ipv6", "accept_redirects"), Only("ipv6", "proxy_ndp"))));
    }

    [Theory]
    [InlineData("default")]
    [InlineData("all")]
    public async Task Where_IPv6_is_switched_off_pods_with_an_IPv6_address_have_it_on(string where)
    {
        using var town = await Pair.Make(() => File.WriteAllText($"{Conf}/ipv6/conf/{where}/disable_ipv6", "1"));
        Assert.Equal("hello", Pair.Talk(town.A.Namespace, town.B.Namespace, IPAddress.Parse(town.B.V6)));
    }

    [Fact]
    public async Task An_IPv6_address_can_be_used_at_once()
    {
        using var town = await Pair.Make(() =>
        {
            foreach (var scope in (string[])["all", "default"])
                File.WriteAllText($"{Conf}/ipv6/conf/{scope}/accept_dad", "1");
        });
        for (var i = 0; i < 10; i++)
        {
            var pod = town.Node.Pod($"p{i}");
            pod.Run(() =>
            {
                File.WriteAllText($"{Conf}/ipv6/conf/all/accept_dad", "1");
                File.WriteAllText($"{Conf}/ipv6/conf/default/accept_dad", "1");
            });
            var answer = await town.Node.Run("ADD", $"p{i}");
            var address = IPAddress.Parse(answer.GetProperty("result").GetProperty("ips")[1].GetProperty("address")
                .GetString()!.Split('/')[0]);
            pod.Run(() => Bind(address));
        }

        // The control: an address for which the network is asked cannot be bound yet.
        using var slow = NetworkNamespace.CreateAnonymous();
        slow.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var (one, two) = (netlink.AddVeth("one", "two"), netlink.FindLink("two")!);
            netlink.SetUp(one.Index);
            netlink.SetUp(two.Index);
            netlink.AddAddress(one.Index, IPAddress.Parse("fd00:9::1"), 64, noDad: false);
            Assert.Equal(SocketError.AddressNotAvailable,
                Assert.Throws<SocketException>(() => Bind(IPAddress.Parse("fd00:9::1"))).SocketErrorCode);
        });
    }

    private static void Bind(IPAddress address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, 0));
    }

    /// <summary>The value that all pods' devices have.</summary>
    private static string Only(string family, string name) => Assert.Single(
        Directory.EnumerateDirectories($"{Conf}/{family}/conf", "ecni*").Select(d => File.ReadAllText(Path.Combine(d, name)).Trim())
            .Distinct());

    /// <summary>Every setting of every device, in the calling thread's namespace. Neighbours' tables count and time things.</summary>
    private static List<string> Settings() =>
    [
        .. Directory.EnumerateFiles(Conf, "*", SearchOption.AllDirectories)
            .Where(f => File.GetUnixFileMode(f).HasFlag(UnixFileMode.UserRead) && !f.Contains("/neigh/", StringComparison.Ordinal)
                && !f.Contains("/netfilter/", StringComparison.Ordinal) && !f.EndsWith("stable_secret", StringComparison.Ordinal))
            .Select(f => $"{f} {File.ReadAllText(f).Trim()}").Order(StringComparer.Ordinal),
    ];
}
