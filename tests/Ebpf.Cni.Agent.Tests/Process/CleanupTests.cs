using System.Diagnostics;
using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>
/// "cleanup" on a node that an agent served: with routes and a tunnel to other nodes, reserved ports, changed settings and a pod.
/// </summary>
public sealed class CleanupTests : IDisposable
{
    private const string Service =
        """
        {"metadata":{"namespace":"default","name":"web","uid":"u1","resourceVersion":"1"},
         "spec":{"type":"NodePort","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],
          "ports":[{"name":"http","protocol":"TCP","port":80,"nodePort":30080}]}}
        """;

    private const string Slice =
        """
        {"metadata":{"namespace":"default","name":"web-1","uid":"u2","resourceVersion":"1","labels":{"kubernetes.io/service-name":"web"}},
         "addressType":"IPv4","ports":[{"name":"http","protocol":"TCP","port":8080}],
         "endpoints":[{"addresses":["10.202.0.5"],"conditions":{"ready":true},"nodeName":"n2"}]}
        """;

    /// <summary>n2 is on this node's link, n3 behind the tunnel.</summary>
    private static readonly string Nodes =
        string.Join(',', Node("n1", 1, "192.168.7.1"), Node("n2", 2, "192.168.7.2"), Node("n3", 3, "203.0.113.9"));

    private readonly AgentProcess? _agent = Environment.IsPrivilegedProcess ? new AgentProcess() : null;
    private SmallApi? _api;
    private NetworkNamespace? _pod;

    private AgentProcess Agent => _agent!;

    public void Dispose()
    {
        RemovePod();
        _api?.Dispose();
        _agent?.Dispose();
    }

    [Fact]
    public async Task Once_agent_and_pods_are_gone_the_node_is_as_it_was()
    {
        await Ready();
        var before = Image();
        await Serve();
        var running = Agent.Cleanup();
        Assert.Equal(
            (3, $"an agent runs on this node (it holds the lock in {Agent["run"]}): stop it first"), (running.Code, running.Output.Trim()));
        Assert.Equal(200, Agent.Get(10256, "/readyz").Status);

        Agent.Kill();
        var serving = Image();
        Assert.NotEqual(before, serving); // the control
        var inUse = Agent.Cleanup();
        Assert.Equal(3, inUse.Code);
        Assert.StartsWith("the pod default/p (c1/eth0) uses the network\n", inUse.Output, StringComparison.Ordinal);
        Assert.Contains("--force", inUse.Output, StringComparison.Ordinal);
        NodeImage.AssertEqual(serving, Image());

        RemovePod();
        var done = Agent.Cleanup();
        Assert.True(done.Code == 0, done.Output);
        NodeImage.AssertEqual(before, Image());
        Assert.All(
            [
                $"removed: {Agent["net.d"]}/05-ebpf-cni.conflist", " programs on uplinks and lo", "removed: interface ebc-vxlan",
                " routes of protocol 101", $"removed: all tables in {Agent.Bpffs}",
                "restored: net/ipv4/ip_local_reserved_ports without 30080", "restored: net/ipv4/ip_forward is 0 again",
                $"removed: {Agent["bin"]}/ebpf-cni", $"removed: {Agent["state"]}", $"removed: {Agent["run"]}",
                "ebpf-cni is removed from this node",
            ],
            line => Assert.Contains(line, done.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("failed: ", done.Output, StringComparison.Ordinal);
        var again = Agent.Cleanup();
        Assert.Equal((0, "there was nothing of ebpf-cni to remove"), (again.Code, again.Output.Trim()));
    }

    [Fact]
    public async Task Forced_it_takes_the_network_from_pods_and_keeps_what_the_runtime_needs_to_remove_them()
    {
        await Ready();
        var before = Image();
        await Serve();
        Agent.Kill();
        var forced = Agent.Cleanup("--force");
        Assert.True(forced.Code == 0, forced.Output);
        Assert.Contains("removed: interface ecni", forced.Output, StringComparison.Ordinal);
        Assert.Contains("needs them to remove the 1 pods", forced.Output, StringComparison.Ordinal);
        string[] kept = [$"{Agent["bin"]}/ebpf-cni", Agent["state"], Agent["run"]];
        var difference = NodeImage.Difference(before, Image()).Split('\n');
        Assert.All(difference, l => Assert.True(l[0] == '+' && kept.Any(k => l.Contains($" {k}", StringComparison.Ordinal)), l));
        Assert.True(File.Exists(kept[0]));

        // The pod lives on without a network. Once it is gone, so is the rest.
        Assert.Equal(3, Agent.Cleanup().Code);
        Assert.Contains("nothing of ebpf-cni to remove but what is left", Agent.Cleanup("--force").Output, StringComparison.Ordinal);
        RemovePod();
        Assert.Equal(0, Agent.Cleanup().Code);
        NodeImage.AssertEqual(before, Image());
    }

    [Fact]
    public void Wrong_options_and_missing_rights_are_all_named_and_nothing_is_touched()
    {
        Requires.Root();
        Requires.Tool("setpriv");
        Agent.Launcher = Rights.Capabilities("sys_admin");
        Assert.Equal(2, Agent.RunToEnd("cleanup", "--state-dir", "here", "--nonsense", "1", "--host-proc", Agent["nothing"]));
        Assert.All(
            [
                "--state-dir: ", "--nonsense: ", "--host-proc: ",
                "CAP_NET_ADMIN is missing", "CAP_SYS_CHROOT is missing", "CAP_SYS_PTRACE is missing",
            ],
            text => Assert.Contains(text, Agent.Output, StringComparison.Ordinal));
    }

    /// <summary>It found forwarding on, and would not notice that it goes: also on a node that did not forward before the agent.</summary>
    [Fact]
    public async Task Beside_the_next_plugins_configuration_forwarding_stays_on_and_is_named()
    {
        await Ready();
        await Serve();
        Agent.Kill();
        RemovePod();
        await File.WriteAllTextAsync(Path.Combine(Agent["net.d"], "10-next.conflist"),
            """{"cniVersion":"1.0.0","name":"next","plugins":[{"type":"bridge"}]}""", TestContext.Current.CancellationToken);
        var done = Agent.Cleanup();
        Assert.True(done.Code == 0, done.Output);
        Assert.Equal("1", Agent.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim()));
        Assert.Contains("left: net/ipv4/ip_forward is 1, for ", done.Output, StringComparison.Ordinal);
        Assert.Contains("it was 0 before the agent", done.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("net/ipv4/ip_forward is 0 again", done.Output, StringComparison.Ordinal);
        Assert.Contains("restored: net/ipv4/conf/lo/route_localnet", done.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--host-proc=")]
    [InlineData("--host-proc")]
    public void A_place_of_proc_without_a_value_is_not_the_node_itself(string option)
    {
        Requires.Root();
        Assert.Equal(2, Agent.RunToEnd("cleanup", "--force", option));
        Assert.Contains("--host-proc: ", Agent.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Asked_for_its_version_it_removes_nothing()
    {
        Requires.Root();
        Directory.CreateDirectory(Agent["net.d"]);
        var configuration = Path.Combine(Agent["net.d"], "05-ebpf-cni.conflist");
        File.WriteAllText(configuration, "{}");
        Assert.Equal(0, Agent.Cleanup("--version").Code);
        Assert.True(File.Exists(configuration));
        Assert.Equal(0, Agent.Cleanup().Code); // the control
        Assert.False(File.Exists(configuration));
    }

    /// <summary>The lock of a running agent is where its options say.</summary>
    [Fact]
    public async Task Beside_an_agent_with_other_directories_it_refuses()
    {
        await Ready();
        await Serve();
        var refused = Agent.Cleanup("--run-dir", Agent["elsewhere"], "--state-dir", Agent["elsewhere"]);
        Assert.Equal(3, refused.Code);
        Assert.StartsWith($"--run-dir: {Agent["elsewhere"]} does not exist", refused.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Agent["net.d"], "05-ebpf-cni.conflist")));
        using var netlink = RouteNetlink.Open(Agent.Namespace);
        Assert.NotNull(netlink.FindLink("ebc-vxlan"));
        Agent.Kill();
    }

    private async Task Ready()
    {
        Requires.Root();
        foreach (var tool in NodeImage.Tools)
            Requires.Tool(tool);
        foreach (var directory in (string[])["net.d", "bin"])
            Directory.CreateDirectory(Agent[directory]);
        Agent.Namespace.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "0");
            File.WriteAllText("/proc/sys/net/ipv4/ip_local_reserved_ports", "8080");
        });
        using var netlink = RouteNetlink.Open(Agent.Namespace);
        var ends = new[] { netlink.AddVeth("eth0", "far0").Index, netlink.FindLink("far0")!.Index };
        netlink.AddAddress(ends[0], IPAddress.Parse("192.168.7.1"), 24);
        foreach (var end in ends)
            netlink.SetUp(end);
        // What is not settled yet would be a difference later.
        await Eventually.True(
            () => ends.All(i => netlink.FindLink(i)!.Running
                && netlink.Addresses(i).Any(a => a is { Address.IsIPv6LinkLocal: true, Tentative: false })),
            "the uplink is up");
    }

    /// <summary>Until everything that an agent makes on a node is there.</summary>
    private async Task Serve()
    {
        _api = new SmallApi(Agent.Namespace, new() { ["services"] = Service, ["endpointslices"] = Slice, ["nodes"] = Nodes });
        Agent.Start(_api.Kubeconfig, "--uplinks", "eth0");
        await Agent.Ready();
        _pod = NetworkNamespace.Create(Agent["pod"]);
        Assert.Contains("\"ips\"", Agent.Cni("ADD"), StringComparison.Ordinal);
        await Eventually.True(() => Reserved() == "8080,30080", "the NodePort is reserved");
        await Eventually.True(() => File.Exists(Path.Combine(Agent["net.d"], "05-ebpf-cni.conflist")), "the runtime is told");
        using var netlink = RouteNetlink.Open(Agent.Namespace);
        await Eventually.True(
            () => netlink.Routes(0x65).Count == 3 && netlink.FindLink("ebc-vxlan") is not null, "routes to a pod and two nodes are there");
    }

    private static string Node(string name, int number, string address) =>
        $$$"""
        {"metadata":{"name":"{{{name}}}","uid":"n{{{number}}}","resourceVersion":"1"},"spec":{"podCIDRs":["10.20{{{number}}}.0.0/24"]},
         "status":{"addresses":[{"type":"InternalIP","address":"{{{address}}}"}]}}
        """;

    private string Reserved() => Agent.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_local_reserved_ports").Trim());

    private void RemovePod()
    {
        if (_pod is null)
            return;
        _pod.Dispose();
        NetworkNamespace.Remove(Agent["pod"]);
        _pod = null;
    }

    private IReadOnlyList<string> Image()
    {
        var command = NodeImage.Command("", Agent["net.d"], Agent["bin"], Agent["state"], Agent["run"], Agent.Bpffs);
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var reading = Agent.Namespace.Run(() => System.Diagnostics.Process.Start(start)!);
        var errors = reading.StandardError.ReadToEndAsync();
        var lines = NodeImage.Read(reading.StandardOutput.ReadToEnd());
        reading.WaitForExit();
        Assert.True(reading.ExitCode == 0, errors.GetAwaiter().GetResult());
        return lines;
    }
}
