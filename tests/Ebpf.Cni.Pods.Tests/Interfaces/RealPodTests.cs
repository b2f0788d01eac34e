using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>CNI against the kernel: veths, routes, programs and entries of pods that really talk.</summary>
public class RealPodTests(ITestOutputHelper log)
{
    [Fact]
    public async Task Two_pods_talk_over_both_families_and_DEL_leaves_nothing()
    {
        Requires.Root();
        using var node = new RealNode();
        var (a, b) = (node.Pod("a"), node.Pod("b"));
        await node.Run("ADD", "a");
        var addresses = Addresses(await node.Run("ADD", "b"));
        Assert.Equal([AddressFamily.InterNetwork, AddressFamily.InterNetworkV6], addresses.Select(x => x.AddressFamily));
        foreach (var address in addresses)
            Assert.Equal("hello", Talk(a, b, address));

        await node.Run("DEL", "a");
        await node.Run("DEL", "b");
        AssertEmpty(node);
    }

    [Fact]
    public async Task CHECK_sees_what_was_made_and_what_was_broken()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        var extra = $",\"prevResult\":{(await node.Run("ADD", "a")).GetProperty("result").GetRawText()}";
        Assert.Equal("{}", (await node.Run("CHECK", "a", extra)).GetRawText());

        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.DeleteRoute(netlink.Routes(PodWiring.RouteProtocol)
                .First(r => r.Destination.BaseAddress.AddressFamily == AddressFamily.InterNetwork));
        });
        Assert.Contains("no route to", await CheckFailure(node, extra), StringComparison.Ordinal);
        await node.Run("ADD", "a");
        Assert.Equal("{}", (await node.Run("CHECK", "a", extra)).GetRawText());
        node.Dataplane.Endpoints.Remove(node.Dataplane.Endpoints.List().Single().Addresses);
        Assert.Contains("endpoint table", await CheckFailure(node, extra), StringComparison.Ordinal);
    }

    [Fact]
    public async Task DEL_after_the_namespace_is_gone_leaves_nothing()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await node.Run("ADD", "a");
        node.RemovePod("a");
        await node.Run("DEL", "a");
        AssertEmpty(node);
    }

    [Fact]
    public async Task A_namespace_that_has_just_gone_is_known_at_a_start()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        await node.Run("ADD", "a");
        node.RemovePod("a");
        node.RestartPods();
        AssertEmpty(node);
    }

    [Fact]
    public async Task A_start_that_cannot_see_the_pods_namespaces_takes_nothing_from_them()
    {
        Requires.Root();
        using var node = new RealNode();
        var (a, b) = (node.Pod("a"), node.Pod("b"));
        await node.Run("ADD", "a");
        var address = Addresses(await node.Run("ADD", "b"))[0];
        // Their paths go, as they are not there where a mount does not propagate; they themselves live on.
        NetworkNamespace.Remove(node.PodPath("a"));
        NetworkNamespace.Remove(node.PodPath("b"));
        node.Restart();
        Assert.Equal(2, node.Store.All.Count);
        Assert.Equal(2, node.Dataplane.Endpoints.List().Length);
        Assert.Equal("hello", Talk(a, b, address));
    }

    [Fact]
    public async Task A_connection_goes_on_while_the_agent_is_replaced()
    {
        Requires.Root();
        using var node = new RealNode();
        var (a, b) = (node.Pod("a"), node.Pod("b"));
        await node.Run("ADD", "a");
        var address = Addresses(await node.Run("ADD", "b"))[0];
        using var listener = Listen(b, address);
        using var client = Connect(a, (IPEndPoint)listener.LocalEndPoint!);
        using var server = listener.Accept();
        Assert.Equal("before", Pass(client, server, "before"));
        node.Restart();
        Assert.Equal("after", Pass(client, server, "after"));
        Assert.Equal(2, node.Dataplane.Endpoints.List().Length);
        Assert.Equal("hello", Talk(a, b, address));
    }

    [Fact]
    public async Task A_name_that_is_taken_in_the_pod_fails_and_leaves_nothing()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a").Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddVeth("eth0", "other");
        });
        var error = await Assert.ThrowsAsync<CniException>(() => node.Run("ADD", "a"));
        Assert.Contains("EEXIST", error.Message, StringComparison.Ordinal);
        AssertEmpty(node);
    }

    [Fact]
    public async Task Twenty_pods_one_after_the_other_leave_nothing()
    {
        Requires.Root();
        using var node = new RealNode();
        var (adds, dels) = (new List<double>(), new List<double>());
        for (var i = 0; i < 20; i++)
        {
            node.Pod($"p{i}");
            adds.Add(await Time(() => node.Run("ADD", $"p{i}")));
        }

        for (var i = 0; i < 20; i++)
            dels.Add(await Time(() => node.Run("DEL", $"p{i}")));
        adds.Sort();
        dels.Sort();
        log.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"in the agent: ADD median {adds[10]:0.0} ms, worst {adds[^1]:0.0} ms; DEL median {dels[10]:0.0} ms, worst {dels[^1]:0.0} ms"));
        AssertEmpty(node);
    }

    private static async Task<double> Time(Func<Task> work)
    {
        var clock = Stopwatch.StartNew();
        await work();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static async Task<string> CheckFailure(RealNode node, string extra)
    {
        var error = await Assert.ThrowsAsync<CniException>(() => node.Run("CHECK", "a", extra));
        Assert.Equal(CniErrorCode.CheckFailed, error.Code);
        return error.Details;
    }

    private static void AssertEmpty(RealNode node)
    {
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            Assert.DoesNotContain(netlink.Links(), l => l.Name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal));
            Assert.Empty(netlink.Routes(PodWiring.RouteProtocol));
        });
        Assert.Empty(node.Dataplane.Endpoints.List());
        Assert.Empty(node.Dataplane.Pods.List());
        Assert.Empty(node.Files);
    }

    private static List<IPAddress> Addresses(System.Text.Json.JsonElement answer) =>
        [.. answer.GetProperty("result").GetProperty("ips").EnumerateArray()
            .Select(i => IPAddress.Parse(i.GetProperty("address").GetString()!.Split('/')[0]))];

    private static string Talk(NetworkNamespace from, NetworkNamespace to, IPAddress address)
    {
        using var listener = Listen(to, address);
        using var client = Connect(from, (IPEndPoint)listener.LocalEndPoint!);
        using var server = listener.Accept();
        return Pass(client, server, "hello");
    }

    private static Socket Listen(NetworkNamespace at, IPAddress address) => at.Run(() =>
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, 0));
        socket.Listen();
        return socket;
    });

    private static Socket Connect(NetworkNamespace at, IPEndPoint to) => at.Run(() =>
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { SendTimeout = 5000 };
        socket.Connect(to);
        return socket;
    });

    private static string Pass(Socket from, Socket to, string text)
    {
        to.ReceiveTimeout = 5000;
        from.Send(System.Text.Encoding.ASCII.GetBytes(text));
        var buffer = new byte[100];
        return System.Text.Encoding.ASCII.GetString(buffer, 0, to.Receive(buffer));
    }
}
