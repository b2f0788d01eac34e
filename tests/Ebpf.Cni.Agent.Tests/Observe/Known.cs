using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>A cluster of two nodes, a pod, and two services, for listings.</summary>
internal static class Known
{
    public static readonly ObjectName Web = new("default", "web");

    public static readonly IReadOnlyDictionary<uint, ServicePortName> Services = new Dictionary<uint, ServicePortName>
    {
        [7] = new(Web, "http", IpProtocol.Tcp), [8] = new(new("shop", "cart"), "", IpProtocol.Udp),
    };

    public static readonly EndpointRecord Pod = Record(3, "default/web-1", "10.1.0.7", "fd00:1::7");

    public static readonly ClusterSnapshot Cluster = new()
    {
        Nodes = ClusterSnapshot.Empty.Nodes
            .Add("n1", new NodeSnapshot { Name = "n1", PodCidrs = ["10.1.0.0/24", "fd00:1::/64"], InternalIPs = ["192.168.0.1"] })
            .Add("n2", new NodeSnapshot { Name = "n2", PodCidrs = ["10.2.0.0/24", "not a range"], InternalIPs = ["192.168.0.2", "nonsense"],
                ExternalIPs = ["203.0.113.2"] }),
        EndpointSlices = ClusterSnapshot.Empty.EndpointSlices
            .Add(new("default", "web-x"), Slice("default", "web", ("172.16.0.1", "n2")))
            .Add(new("shop", "web-x"), Slice("shop", "web", ("172.16.0.2", "n1"))),
    };

    public static KnownNames Names { get; } = new(Services, [Pod], Cluster);

    public static EndpointRecord Record(uint number, string pod, params string[] addresses) => new()
    {
        ContainerId = $"c{number}", Ifname = "eth0", Netns = "/n", Number = number, Addresses = addresses, Pod = pod, Ready = true,
    };

    public static U16Be Port(ushort port) => U16Be.FromHost(port);

    private static EndpointSliceSnapshot Slice(string ns, string service, params (string Address, string Node)[] endpoints) => new()
    {
        Name = new(ns, service + "-x"), ServiceName = service,
            Endpoints = [.. endpoints.Select(e => new EndpointSnapshot([e.Address, "not an address"], true, true, false, e.Node))],
    };
}

/// <summary>Who an address is.</summary>
public class KnownNamesTests
{
    [Theory]
    [InlineData("10.1.0.7", "default/web-1", "n1")]
    [InlineData("fd00:1::7", "default/web-1", "n1")]
    [InlineData("10.2.0.9", "", "n2")]
    [InlineData("192.168.0.2", "", "n2")]
    [InlineData("203.0.113.2", "", "n2")]
    [InlineData("8.8.8.8", "", "")]
    public void An_address_is_a_pods_here_or_in_a_nodes_range(string address, string pod, string node) =>
        Assert.Equal((pod, node), (Known.Names.Pod(Addr.Parse(address)), Known.Names.Node(Addr.Parse(address))));

    [Fact]
    public void An_id_is_a_service_port_or_nobodys()
    {
        Assert.Equal(Known.Web, Known.Names.Service(7)!.Value.Service);
        Assert.Null(Known.Names.Service(99));
    }

    [Fact]
    public void Slices_say_where_a_services_own_endpoints_are()
    {
        var facts = EndpointFact.Of(Known.Cluster, Known.Web);
        Assert.Equal((Addr.Parse("172.16.0.1"), new EndpointFact("n2", true, false)), (Assert.Single(facts).Key, facts.Values.Single()));
    }
}
