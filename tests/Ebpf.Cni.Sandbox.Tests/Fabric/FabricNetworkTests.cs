using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Fabric;

public class FabricNetworkTests
{
    private readonly SandboxPaths _paths = new("t-fabric");

    [Fact]
    public async Task Nodes_reach_each_other_over_both_families_and_the_root_namespace_gets_nothing()
    {
        Requires.Root();
        var before = NetworkInterface.GetAllNetworkInterfaces().Select(i => i.Name).Order().ToList();
        using (var network = FabricNetwork.Create(_paths))
        {
            var (a, b) = (NodeAddressPlan.Of(1), NodeAddressPlan.Of(2));
            await Reaches(network.AddNode(a), network.AddNode(b), b);
            Assert.Equal(before, NetworkInterface.GetAllNetworkInterfaces().Select(i => i.Name).Order());
        }
        Assert.Empty(_paths.ExistingNamespaces());
    }

    [Fact]
    public async Task Nodes_on_other_links_are_reached_through_the_router()
    {
        Requires.Root();
        using var network = FabricNetwork.Create(_paths);
        var (a, c) = (NodeAddressPlan.Of(1), NodeAddressPlan.Of(3, link: 1));
        Assert.Equal(("172.30.0.11", "172.31.0.13", "fd00:31::13"), (a.V4.ToString(), c.V4.ToString(), c.V6.ToString()));
        var (insideA, insideC) = (network.AddNode(a), network.AddNode(c));
        await Reaches(insideA, insideC, c);
        await Reaches(insideC, insideA, a);
    }

    private static async Task Reaches(NetworkNamespace from, NetworkNamespace to, NodeAddressPlan at)
    {
        foreach (var address in (IPAddress[])[at.V4, at.V6])
        {
            using var server = to.Run(() => new TcpListener(address, 0));
            to.Run(server.Start);
            using var client = await NamespaceSockets.ConnectAsync(from, (IPEndPoint)server.LocalEndpoint, CancellationToken.None);
            using var accepted = await server.AcceptSocketAsync();
            await client.SendAsync(Encoding.ASCII.GetBytes("hello"));
            var buffer = new byte[16];
            Assert.Equal("hello", Encoding.ASCII.GetString(buffer, 0, await accepted.ReceiveAsync(buffer)));
        }
    }

    [Fact]
    public async Task A_process_is_born_in_its_namespace_and_cgroup_and_its_first_socket_too()
    {
        Requires.Root();
        using var network = FabricNetwork.Create(_paths);
        var inside = network.AddNode(NodeAddressPlan.Of(1));
        var cgroup = _paths.NodeCgroup("node-a");
        try
        {
            var plan = new ProcessPlan(inside, cgroup,
                ["sh", "-c", "stat -Lc %i /proc/self/ns/net; grep ^0:: /proc/self/cgroup; cat; echo wrong >&2; exit 3"]);
            var ran = await NodeProcess.RunAsync(plan, "from input");
            Assert.Equal([$"{inside.Inode}", $"0::/ebpf-cni-sandbox-{_paths.Name}/node-a", "from input"], ran.Output.Split('\n'));
            Assert.Equal("wrong\n", ran.Errors);
            Assert.Equal(3, ran.ExitCode);
        }
        finally
        {
            await CgroupProcesses.EndAsync(_paths.CgroupPath);
        }
    }

    [Fact]
    public async Task Ending_a_cgroup_ends_children_and_strays_too()
    {
        Requires.Root();
        using var network = FabricNetwork.Create(_paths);
        var cgroup = _paths.NodeCgroup("node-b");
        string[] stubborn = ["sh", "-c", "trap '' TERM; setsid sleep 1000 & sleep 1000 & wait"];
        var plan = new ProcessPlan(network.AddNode(NodeAddressPlan.Of(2)), cgroup, stubborn);
        using var process = NodeProcess.Start(plan with { LogFile = "/dev/null" });
        await Eventually.True(() => CgroupProcesses.All(cgroup).Count >= 3, "the children run");
        var all = CgroupProcesses.All(cgroup).Select(ProcessIdentity.Of).ToList();
        await CgroupProcesses.EndAsync(_paths.CgroupPath);
        Assert.False(Directory.Exists(_paths.CgroupPath));
        Assert.All(all, identity => Assert.False(identity is { IsAlive: true }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("Upper")]
    [InlineData("a-name-that-is-longer-than-thirty")]
    public void A_name_that_could_escape_its_directories_is_refused(string name) =>
        Assert.ThrowsAny<ArgumentException>(() => new SandboxPaths(name));
}
