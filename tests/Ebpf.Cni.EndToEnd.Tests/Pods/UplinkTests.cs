using System.Globalization;
using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>Devices of a node that come, change and go while it works; and what comes over them for its loopback.</summary>
[Collection(FullServices.Name)]
public sealed class UplinkTests(FullCluster cluster)
{
    private const string Late = "late0", Later = "late1";
    private readonly SandboxNode _node = cluster.Cluster.Nodes["node-c"];

    [Fact]
    public async Task A_device_with_a_default_route_is_an_uplink_when_it_comes_and_when_it_is_replaced()
    {
        var eth0 = Index("eth0");
        await Uplinks(eth0);
        try
        {
            var first = Add(Late, "192.0.2");
            await Uplinks(eth0, first);
            Delete(Late);
            await Uplinks(eth0);
            var second = Add(Late, "192.0.2");
            Assert.NotEqual(first, second);
            await Uplinks(eth0, second);
            // What made it an uplink is away for a moment: it stays one. That this has been seen is known by what came after it.
            Netlink(n => n.DeleteRoute(n.Routes().First(r => r.Ifindex == second && r.Destination.PrefixLength == 0)));
            var third = Add(Later, "203.0.113");
            await Uplinks(eth0, second, third);
        }
        finally
        {
            Delete(Late);
            Delete(Later);
        }

        await Uplinks(eth0);
    }

    /// <summary>As on a node where kube-proxy has been: 127.0.0.1 is routed on all devices until the next boot.</summary>
    [Theory]
    [InlineData("IPv4", "127.0.0.1")]
    [InlineData("IPv6", "::1")]
    public async Task Nobody_outside_reaches_what_listens_on_loopback_nor_node_ports_there(string family, string loopback)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "c1");
        var outside = cluster.SourceOf(World, family);
        var node = cluster.NodeAddress(_node.Name, family);
        _node.Namespace.Run(() => File.WriteAllText("/proc/sys/net/ipv4/conf/all/route_localnet", "1"));
        try
        {
            using var stop = new CancellationTokenSource();
            var heard = Path.GetTempFileName();
            var listening = cluster.Cluster.ExecOnNodeAsync(
                _node.Name, ["sh", "-c", $"exec {string.Join(' ', Program("listen.py", "9999"))} > {heard}"], "", stop.Token);
            await Eventually.True(() => File.ReadAllText(heard).Contains("listening", StringComparison.Ordinal), "the node listens");
            foreach (var (source, destination, text) in ((string, string, string)[])
                [(outside, loopback, "in-loopback"), (loopback, node, "from-loopback"), (outside, node, "control")])
                await Send(source, destination, 9999, text);
            // In order: when the last one has arrived, the others have not.
            await Eventually.True(() => File.ReadAllText(heard).Contains("control", StringComparison.Ordinal),
                "what is for the node arrives");
            Assert.DoesNotContain("loopback", File.ReadAllText(heard), StringComparison.Ordinal);
            await stop.CancelAsync();
            await Task.WhenAny(listening);
            File.Delete(heard);

            var (served, refused) = (await Count("service"), await Count("loopback"));
            await Send(outside, loopback, service.NodePort, "who?");
            await Eventually.True(async () => await Count("loopback") > refused, "it is counted as refused");
            Assert.Equal(served, await Count("service"));
            await Send(outside, node, service.NodePort, "who?");
            await Eventually.True(async () => await Count("service") > served, "by the node's address it leads to the pod");
        }
        finally
        {
            _node.Namespace.Run(() => File.WriteAllText("/proc/sys/net/ipv4/conf/all/route_localnet", "0"));
        }

        async Task<double> Count(string reason) => (await cluster.Cluster.MetricsAsync(_node.Name)).Split('\n')
            .Where(l => l.StartsWith("ebpf_cni_packets_total{", StringComparison.Ordinal)
                && l.Contains($"\"{reason}\"", StringComparison.Ordinal) && l.Contains("uplink_ingress", StringComparison.Ordinal))
            .Sum(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture));

        async Task Send(string source, string destination, int port, string text)
        {
            using var netlink = RouteNetlink.Open(_node.Namespace);
            var mac = Convert.ToHexString(netlink.FindLink("eth0")!.Mac);
            (await cluster.Cluster.Outside.ExecAsync(Program("frame.py", "eth0", mac, source, destination, $"{port}", text)))
                .ThrowIfFailed();
        }
    }

    private int Add(string name, string network)
    {
        Netlink(n =>
        {
            var made = n.AddVeth(name, name + "-far");
            n.SetUp(n.FindLink(name + "-far")!.Index);
            n.SetUp(made.Index);
            n.AddAddress(made.Index, IPAddress.Parse(network + ".1"), 24);
            n.AddRoute(new Route(IPNetwork.Parse("0.0.0.0/0"), made.Index)
                { Gateway = IPAddress.Parse(network + ".2"), Metric = 900 + (uint)made.Index });
        });
        return Index(name);
    }

    private void Delete(string name) => Netlink(n =>
    {
        if (n.FindLink(name) is { } found)
            n.DeleteLink(found.Index);
    });

    private int Index(string name)
    {
        using var netlink = RouteNetlink.Open(_node.Namespace);
        return netlink.FindLink(name)!.Index;
    }

    private void Netlink(Action<RouteNetlink> work)
    {
        using var netlink = RouteNetlink.Open(_node.Namespace);
        work(netlink);
    }

    private Task Uplinks(params int[] expected) => Eventually.True(
        () => Pinned().SequenceEqual(expected.Order()), $"programs are on the devices {string.Join(", ", expected)}");

    /// <summary>Without the loopback device, on which there always is one.</summary>
    private List<int> Pinned() =>
    [
        .. Directory.EnumerateFiles(Path.Combine(_node.BpffsRoot, "links", "uplink"))
            .Select(f => int.Parse(Path.GetFileName(f).Split('_')[0], CultureInfo.InvariantCulture))
            .Where(i => i != 1).Distinct().Order(),
    ];
}
