using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>
/// NodePorts and hostPorts at 127.0.0.1 for clients of the node that are bound to nothing, to 127.0.0.1 or to the node's address, on a
/// node that has kubelet's firewall rule: what has a source outside of 127.0.0.0/8 and a destination inside is dropped in OUTPUT, unless
/// its destination was translated there.
/// </summary>
public abstract class LoopbackPortTests(ServiceCluster cluster)
{
    private const int HostPort = 54331;

    /// <summary>KUBE-FIREWALL's "block incoming localnet connections", as kubelet writes it.</summary>
    private const string KubeletRules = """
        table ip kubelet {
            chain out { type filter hook output priority 0; jump firewall; }
            chain in { type filter hook input priority 0; jump firewall; }
            chain firewall {
                ip saddr != 127.0.0.0/8 ip daddr 127.0.0.0/8 ct state != established,related ct status & dnat == 0 counter drop;
            }
        }
        """;

    public static TheoryData<string, string> Kinds
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var protocol in new[] { "tcp", "udp" })
                foreach (var bound in new[] { "nothing", "127.0.0.1", "the node's address" })
                    data.Add(protocol, bound);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_NodePort_answers_beside_kubelets_firewall(string protocol, string bound)
    {
        await using var rules = await NodeRules.Add(cluster, KubeletRules);
        foreach (var backend in new[] { "a1", "b1", "h1" })
        {
            await using var service = await TestService.Create(cluster, "type: NodePort", backend);
            await cluster.AnsweredBy(NodeA, protocol, cluster.NodeAddress("node-a", "IPv4"), service.NodePort, backend); // it is applied
            await Answered(protocol, bound, service.NodePort, backend);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_hostPort_of_the_loopback_address_answers_beside_kubelets_firewall(string protocol, string bound)
    {
        await using var rules = await NodeRules.Add(cluster, KubeletRules);
        await cluster.Cluster.ApplyAsync(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: lo1, labels: {app: lo1}}\n"
            + "spec:\n  nodeName: node-a\n  terminationGracePeriodSeconds: 1\n"
            + $"  containers: [{{name: c, image: python:3-slim, command: {ServerCommand("lo1", "node-a", "8080")},"
            + " readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1},"
            + $" ports: [{{containerPort: 8080, hostPort: {HostPort}, hostIP: 127.0.0.1, protocol: {protocol.ToUpperInvariant()}}}]}}]\n");
        try
        {
            await cluster.Cluster.WaitForPodsReady("app=lo1", 1);
            await Answered(protocol, bound, HostPort, "lo1");
        }
        finally
        {
            await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "lo1");
            await cluster.Cluster.Client.WaitAsync(ResourceTypes.Pods, "default", "app=lo1", pods => pods.Count == 0, "lo1 is gone");
        }
    }

    /// <summary>The control: the rule drops what nothing translates.</summary>
    [Fact]
    public async Task Kubelets_firewall_drops_a_server_of_the_loopback_address_from_the_nodes_address()
    {
        await using var rules = await NodeRules.Add(cluster, KubeletRules);
        await cluster.DroppedByOthers(NodeA, "tcp", "127.0.0.1", 9, "--source", cluster.NodeAddress("node-a", "IPv4"));
        await cluster.Refused(NodeA, "tcp", "127.0.0.1", 9);
    }

    private async Task Answered(string protocol, string bound, int port, string pod)
    {
        string[] source = bound switch
        {
            "nothing" => [],
            "127.0.0.1" => ["--source", bound],
            _ => ["--source", cluster.NodeAddress("node-a", "IPv4")],
        };
        var asked = await cluster.Ask(NodeA, protocol, "127.0.0.1", port, 3, 3, source);
        Assert.True(asked.Failures.Count == 0 && asked.From(pod) == 3, $"{protocol} to 127.0.0.1:{port}, bound to {bound}: {asked}");
    }
}

[Collection(OffServices.Name)]
public sealed class PacketLoopbackPortTests(OffCluster cluster) : LoopbackPortTests(cluster);

/// <summary>The same where all nodes are behind the tunnel.</summary>
public sealed class TunnelLoopbackPortTests(TunnelOffCluster cluster) : LoopbackPortTests(cluster), IClassFixture<TunnelOffCluster>;

public sealed class TunnelOffCluster() : ServiceCluster("e2e-off-t", "--socket-lb", "off", "--routing", "tunnel");

/// <summary>
/// With socket hooks, which cannot bind a socket anew that is bound to 127.0.0.1 and has a port: packets on lo are translated.
/// </summary>
[Collection(FullServices.Name)]
public sealed class SocketLoopbackPortTests(FullCluster cluster) : LoopbackPortTests(cluster);
