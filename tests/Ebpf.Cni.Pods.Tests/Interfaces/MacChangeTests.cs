using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>udev and other plugins change MAC addresses of living pods' interfaces: no reason to take a pod for dead.</summary>
public class MacChangeTests
{
    private static readonly byte[] Other = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];

    [Fact]
    public async Task A_pod_whose_node_side_got_another_MAC_address_lives_on_over_a_restart_and_CHECK_agrees()
    {
        Requires.Root();
        using var node = new RealNode();
        var (a, b) = (node.Pod("a"), node.Pod("b"));
        var extra = $",\"prevResult\":{(await node.Run("ADD", "a")).GetProperty("result").GetRawText()}";
        var to = (await node.Run("ADD", "b")).GetProperty("result").GetProperty("ips")[0].GetProperty("address").GetString()!.Split('/')[0];
        Change(node, "a");

        node.RestartPods();
        Assert.Equal(2, node.Store.All.Count);
        Assert.Equal(2, node.Dataplane.Endpoints.List().Length);
        Assert.Equal("{}", (await node.Run("CHECK", "a", extra)).GetRawText());
        Assert.Equal("hello", Pair.Talk(a, b, IPAddress.Parse(to)));
    }

    [Fact]
    public async Task Entries_and_the_pods_neighbour_follow_and_those_of_others_stay()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        node.Pod("b");
        await node.Run("ADD", "a");
        await node.Run("ADD", "b");
        var before = node.Dataplane.Endpoints.List();
        Change(node, "a");

        Assert.Equal(1, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
        var after = node.Dataplane.Endpoints.List();
        Assert.Equal(MacAddr.FromBytes(Other), after[0].HostMac);
        Assert.Equal(before[1].HostMac, after[1].HostMac);
        using var inside = RouteNetlink.Open(pod);
        Assert.All(
            inside.Neighbours().Where(n => n.Permanent
                && (n.Address.Equals(IPAddress.Parse("169.254.1.1")) || n.Address.Equals(IPAddress.Parse("fe80::ecc:1")))),
            n => Assert.Equal(Other, n.Mac));
        Assert.Equal(0, await node.Handler.VerifyAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Another_plugins_interface_is_known_by_its_name_and_number()
    {
        Requires.Root();
        using var directory = new TemporaryDirectory();
        using var node = NetworkNamespace.CreateAnonymous();
        using var pod = NetworkNamespace.Create(directory["pod"]);
        try
        {
            node.Run(() =>
            {
                using var netlink = RouteNetlink.Open();
                var link = netlink.AddVeth("veth77", "eth0", pod, null, null, 1500);
                var (host, mac) = ChainedInterfaces.Find(directory["pod"], "eth0")!.Value;
                var record = new EndpointRecord
                {
                    ContainerId = "c", Ifname = "eth0", Netns = directory["pod"], Number = 1, Addresses = ["10.9.0.7"], Mac = mac,
                        Foreign = host, Ready = true,
                };
                netlink.SetMac(link.Index, Other);
                Assert.Equal(link.Index, ChainedInterfaces.FindHost(record)?.Ifindex);
                Assert.True(ChainedInterfaces.HasPodSide(record));
                // Of an older agent, which wrote no number down.
                Assert.Equal(link.Index,
                    ChainedInterfaces.FindHost(record with { Foreign = new ChainedInterface(host.HostName, host.HostMac) })?.Ifindex);

                // Control: another pod's interface of the same name is another.
                netlink.DeleteLink(link.Index);
                netlink.AddVeth("veth77", "other0");
                Assert.Null(ChainedInterfaces.FindHost(record));
                Assert.Null(ChainedInterfaces.FindHost(record with { Foreign = new ChainedInterface(host.HostName, host.HostMac) }));
                Assert.False(ChainedInterfaces.HasPodSide(record));
            });
        }
        finally
        {
            NetworkNamespace.Remove(directory["pod"]);
        }
    }

    private static void Change(RealNode node, string pod) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        netlink.SetMac(netlink.FindLink(new EndpointKey(pod, "eth0").HostInterface)!.Index, Other);
    });
}
