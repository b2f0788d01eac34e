using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>What a runtime may ask for, and what is left of what nobody remembers, in the kernel.</summary>
public class RealCapabilityTests(ITestOutputHelper log)
{
    private const string Limited =
        ",\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":80000000,\"ingressBurst\":8,\"egressRate\":16000000,\"egressBurst\":160000}}";

    [Fact]
    public async Task A_MAC_address_and_addresses_that_were_asked_for_are_the_pods_everywhere()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        const string asked = ",\"runtimeConfig\":{\"mac\":\"c2:11:22:33:44:55\",\"ips\":[\"10.201.0.77\",\"fd00:201::77\"]}";
        var answer = await node.Run("ADD", "a", asked);
        var mac = MacAddr.Parse("c2:11:22:33:44:55");
        using (var netlink = RouteNetlink.Open(pod))
        {
            var link = netlink.FindLink("eth0")!;
            Assert.Equal(mac, MacAddr.FromBytes(link.Mac));
            Assert.Contains(netlink.Addresses(link.Index), a => a.Address.Equals(IPAddress.Parse("10.201.0.77")));
        }

        // The source check follows, and so does delivery.
        Assert.Equal(mac, node.Dataplane.Endpoints.List().Single().PodMac);
        Assert.Equal("{}", (await node.Run("CHECK", "a", $",\"prevResult\":{answer.GetProperty("result").GetRawText()}")).GetRawText());
        await node.Run("DEL", "a");
    }

    [Fact]
    public async Task Rates_are_queues_on_both_sides_and_an_ADD_without_them_takes_them_off()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        var previous = $",\"prevResult\":{(await node.Run("ADD", "a", Limited)).GetProperty("result").GetRawText()}";
        Assert.Equal((10_000_000UL, 2_000_000UL), (HostRate(node), PodRate(pod)));
        Assert.True(node.Dataplane.Endpoints.List().Single().Queued);
        await node.Run("CHECK", "a", previous);
        node.Restart();
        Assert.True(node.Dataplane.Endpoints.List().Single().Queued);
        using (var netlink = RouteNetlink.Open(pod))
            netlink.DeleteRootQdisc(netlink.FindLink("eth0")!.Index, PodShaping.Handle);
        var error = await Assert.ThrowsAsync<CniException>(() => node.Run("CHECK", "a", previous));
        Assert.Contains("byte/s", error.Message, StringComparison.Ordinal);
        await node.Run("ADD", "a", Limited);
        await node.Run("CHECK", "a", previous);
        await node.Run("ADD", "a");
        Assert.Equal((0UL, 0UL), (HostRate(node), PodRate(pod)));
        Assert.False(node.Dataplane.Endpoints.List().Single().Queued);
        await node.Run("DEL", "a");
    }

    [Fact]
    public async Task What_goes_to_a_limited_pod_keeps_to_its_rate()
    {
        Requires.Root();
        using var node = new RealNode();
        var (a, b) = (node.Pod("a"), node.Pod("b"));
        await node.Run("ADD", "a");
        // A megabyte a second, and a tenth of one at once.
        var answer = await node.Run("ADD", "b", ",\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8000000,\"ingressBurst\":800000}}");
        var address = IPAddress.Parse(answer.GetProperty("result").GetProperty("ips")[0].GetProperty("address").GetString()!.Split('/')[0]);
        var limited = Send(a, b, address, 600_000);
        log.WriteLine($"600,000 bytes at 1,000,000 a second: {limited.TotalMilliseconds:0} ms");
        Assert.True(limited > TimeSpan.FromMilliseconds(400), $"{limited.TotalMilliseconds:0} ms");
        await node.Run("ADD", "b");
        // The control: nothing else is slow here.
        Assert.True(Send(a, b, address, 600_000) < limited);
        await node.Run("DEL", "a");
        await node.Run("DEL", "b");
    }

    [Fact]
    public async Task A_start_removes_what_is_ours_without_a_record_and_nothing_else()
    {
        Requires.Root();
        using var node = new RealNode { Attachment = PodAttachment.Tcx };
        node.RestartPods();
        node.Pod("a");
        node.Pod("b");
        await node.Run("ADD", "a");
        await node.Run("ADD", "b");
        var (a, b) = (new EndpointKey("a", "eth0").HostInterface, new EndpointKey("b", "eth0").HostInterface);
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            // By name it could be ours; it does not say so.
            netlink.AddVeth("ecni0123456789a", "other");
            var link = netlink.FindLink(a)!.Index;
            netlink.ReplaceRoute(new Route(IPNetwork.Parse("10.201.0.250/32"), link) { Protocol = PodWiring.RouteProtocol });
            netlink.ReplaceNeighbour(link, IPAddress.Parse("10.201.0.250"), [2, 0, 0, 0, 0, 1]);
        });
        // The record is lost, the interface is not.
        File.Delete(node.Files.Single(f => f.Contains(new EndpointKey("b", "eth0").Hash, StringComparison.Ordinal)));
        node.Restart();
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var names = netlink.Links().Select(l => l.Name).ToList();
            Assert.Contains(a, names);
            Assert.Contains("ecni0123456789a", names);
            Assert.DoesNotContain(b, names);
            Assert.DoesNotContain(netlink.Routes(PodWiring.RouteProtocol),
                r => r.Destination.BaseAddress.Equals(IPAddress.Parse("10.201.0.250")));
            Assert.DoesNotContain(netlink.Neighbours(), n => n.Address.Equals(IPAddress.Parse("10.201.0.250")));
        });
        Assert.Single(node.Dataplane.Endpoints.List());
        Assert.Equal([a], node.Dataplane.Pods.List());
        await node.Run("DEL", "a");
    }

    /// <summary>How long it takes until all has arrived.</summary>
    private static TimeSpan Send(NetworkNamespace from, NetworkNamespace to, IPAddress address, int bytes)
    {
        using var listener = to.Run(() => new TcpListener(address, 0));
        listener.Start();
        using var client = from.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        client.Connect(listener.LocalEndpoint);
        using var server = listener.AcceptSocket();
        server.ReceiveTimeout = 20_000;
        var clock = Stopwatch.StartNew();
        var sending = Task.Run(() => client.Send(new byte[bytes]), TestContext.Current.CancellationToken);
        var buffer = new byte[65536];
        for (var received = 0; received < bytes;)
            received += server.Receive(buffer) is > 0 and var read ? read : throw new IOException("the connection ended");
        sending.GetAwaiter().GetResult();
        return clock.Elapsed;
    }

    private static ulong HostRate(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return Rate(netlink, new EndpointKey("a", "eth0").HostInterface);
    });

    private static ulong PodRate(NetworkNamespace pod)
    {
        using var netlink = RouteNetlink.Open(pod);
        return Rate(netlink, "eth0");
    }

    private static ulong Rate(RouteNetlink netlink, string name) =>
        netlink.Queues(netlink.FindLink(name)!.Index).Select(q => q.Rate).DefaultIfEmpty().Max();
}
