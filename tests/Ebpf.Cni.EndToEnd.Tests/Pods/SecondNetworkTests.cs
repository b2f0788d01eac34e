using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>
/// A network behind a card that has neither a default route nor the InternalIP: storage, or a VLAN for load balancers. It knows no pods.
/// </summary>
[Collection(FullServices.Name)]
public sealed class SecondNetworkTests(FullCluster cluster) : IAsyncLifetime
{
    private const string Card = "st0";
    private static readonly IPAddress Ours = IPAddress.Parse("10.99.0.1"), Theirs = IPAddress.Parse("10.99.0.5");

    private readonly SandboxNode _node = cluster.Cluster.Nodes["node-c"];
    private readonly NetworkNamespace _storage = NetworkNamespace.CreateAnonymous();

    public async ValueTask InitializeAsync()
    {
        using (var netlink = RouteNetlink.Open(_node.Namespace))
        {
            var card = netlink.AddVeth(Card, "e0", _storage, null, null, 1500);
            netlink.AddAddress(card.Index, Ours, 24);
            netlink.SetUp(card.Index);
        }

        using var inside = RouteNetlink.Open(_storage);
        var end = inside.FindLink("e0")!.Index;
        inside.AddAddress(end, Theirs, 24);
        inside.SetUp(end);
        await Eventually.True(async () => (await Status()).Contains(Card, StringComparison.Ordinal), $"{Card} is an uplink");
    }

    public ValueTask DisposeAsync()
    {
        using (var netlink = RouteNetlink.Open(_node.Namespace))
            if (netlink.FindLink(Card) is { } card)
                netlink.DeleteLink(card.Index);
        _storage.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Pods_reach_it_with_the_nodes_address_there()
    {
        using var listener = _storage.Run(() =>
        {
            var made = new TcpListener(Theirs, 80);
            made.Start();
            return made;
        });
        var asking = cluster.RunAsync(PodC, ["curl", "-s", "--max-time", "10", $"http://{Theirs}/"], TestContext.Current.CancellationToken);
        using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken);
        Assert.Equal(Ours, ((IPEndPoint)client.Client.RemoteEndPoint!).Address);
        await client.Client.SendAsync("HTTP/1.0 200 OK\r\n\r\nhello"u8.ToArray());
        client.Close();
        Assert.Equal("hello", (await asking).Output);
    }

    [Fact]
    public async Task Load_balancer_addresses_and_NodePorts_are_served_to_who_comes_from_it()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer", "c1");
        var balancer = IPAddress.Parse(service.LoadBalancerIPs.First(a => FamilyOf(a) == "IPv4"));
        var node = IPAddress.Parse(cluster.NodeAddress(_node.Name, "IPv4"));
        using (var netlink = RouteNetlink.Open(_storage))
            foreach (var address in new[] { balancer, node })
                netlink.AddRoute(new Route(new IPNetwork(address, 32), netlink.FindLink("e0")!.Index) { Gateway = Ours });
        Assert.True(await Connects(balancer, 80), "the load balancer's address");
        Assert.True(await Connects(node, service.NodePort), "the NodePort at the node's InternalIP");
        // Control: a port that nobody has.
        Assert.False(await Connects(node, service.NodePort == 30001 ? 30002 : 30001), "a port without a service");
    }

    private async Task<bool> Connects(IPAddress address, int port)
    {
        using var socket = _storage.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await socket.ConnectAsync(address, port, TestContext.Current.CancellationToken).AsTask()
                .WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
            return true;
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            return false;
        }
    }

    private async Task<string> Status() => (await cluster.Cluster.MetricsAsync(_node.Name)).Length > 0
        ? string.Join(' ', Directory.EnumerateFiles(Path.Combine(_node.BpffsRoot, "links", "uplink"))
            .Select(f => Path.GetFileName(f).Split('_')[0]).Select(NameOf))
        : "";

    private string NameOf(string index)
    {
        using var netlink = RouteNetlink.Open(_node.Namespace);
        return netlink.FindLink(int.Parse(index, System.Globalization.CultureInfo.InvariantCulture))?.Name ?? "";
    }
}
