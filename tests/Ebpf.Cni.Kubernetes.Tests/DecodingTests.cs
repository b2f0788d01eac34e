using System.Buffers;
using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>Objects as kubectl get -o json shows them, to snapshots.</summary>
public class DecodingTests
{
    [Fact]
    public void A_service()
    {
        var service = Decode(Kinds.Services, Samples.DualStackService);
        Assert.Equal(("shop", "cart", "6f2a", "48211"), (service.Name.Namespace, service.Name.Name, service.Uid, service.Version));
        var value = service.Value!;
        Assert.Equal("NodePort", value.Type);
        Assert.Equal(["10.96.12.7", "fd00:10:96::c07"], value.ClusterIPs);
        Assert.Equal([new ServicePortSnapshot("grpc", "TCP", 9000, 31234), new ServicePortSnapshot("", "UDP", 53)], value.Ports);
        Assert.Null(value.ProxyName);
        Assert.False(value.HeadlessLabel);
    }

    [Fact]
    public void A_balanced_service()
    {
        var value = Decode(Kinds.Services, Samples.LoadBalancerService).Value!;
        Assert.Equal("LoadBalancer", value.Type);
        Assert.Equal([new ServicePortSnapshot("http", "TCP", 80)], value.Ports);
        Assert.Equal(["203.0.113.80"], value.ExternalIPs);
        Assert.Equal(["198.51.100.1", "198.51.100.3"], value.LoadBalancerIPs); // what is Proxy or unknown is not ours
        // The field, not the annotation; blanks are the compiler's to judge
        Assert.Equal(["192.0.2.0/24", " 2001:db8::/32 "], value.LoadBalancerSourceRanges);
        Assert.Equal((true, true, 32100, 60), (value.InternalLocal, value.ExternalLocal, value.HealthCheckNodePort, value.AffinitySeconds));
        Assert.Null(value.UnknownPolicy);
    }

    [Fact]
    public void What_a_service_does_not_say_is_the_default()
    {
        var value = Decode(Kinds.Services, Samples.DualStackService).Value!;
        Assert.Equal((false, false, 0, 0), (value.InternalLocal, value.ExternalLocal, value.HealthCheckNodePort, value.AffinitySeconds));
        Assert.Empty(value.ExternalIPs);
        Assert.Empty(value.LoadBalancerIPs);
        Assert.Empty(value.LoadBalancerSourceRanges);
    }

    [Theory]
    [InlineData("\"sessionAffinity\":\"ClientIP\"", 10800)]
    [InlineData("\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":null}", 10800)]
    [InlineData("\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":null}}", 10800)]
    [InlineData("\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":0}}", -1)]
    [InlineData("\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":-5}}", -5)]
    [InlineData("\"sessionAffinity\":\"None\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":60}}", 0)]
    [InlineData("\"sessionAffinity\":null", 0)]
    public void Session_affinity(string spec, int seconds) =>
        Assert.Equal(seconds, Decode(Kinds.Services, $$"""{"metadata":{"name":"a"},"spec":{ {{spec}} } }""").Value!.AffinitySeconds);

    [Theory]
    [InlineData("internalTrafficPolicy", "Cluster", null)]
    [InlineData("internalTrafficPolicy", "Sideways", "internalTrafficPolicy Sideways")]
    [InlineData("externalTrafficPolicy", "", null)]
    [InlineData("externalTrafficPolicy", "local", "externalTrafficPolicy local")]
    [InlineData("sessionAffinity", "None", null)]
    [InlineData("sessionAffinity", "Cookie", "sessionAffinity Cookie")]
    public void Policies_that_are_not_known(string field, string policy, string? expected)
    {
        var value = Decode(Kinds.Services, $$"""{"metadata":{"name":"a"},"spec":{ "{{field}}":"{{policy}}" } }""").Value!;
        Assert.Equal(expected, value.UnknownPolicy);
        Assert.Equal((false, false, 0), (value.InternalLocal, value.ExternalLocal, value.AffinitySeconds));
    }

    [Theory]
    [InlineData("[]", "10.0.0.0/8, 192.0.2.0/24", new[] { "10.0.0.0/8", "192.0.2.0/24" })]
    [InlineData("null", "10.0.0.0/8", new[] { "10.0.0.0/8" })]
    [InlineData("null", "  ", new string[0])]
    [InlineData("[\"192.0.2.0/24\"]", "10.0.0.0/8", new[] { "192.0.2.0/24" })]
    public void Source_ranges_of_old_are_an_annotation(string field, string annotation, string[] expected) =>
        Assert.Equal(expected, Decode(
            Kinds.Services,
            $$"""
            {"metadata":{"name":"a","annotations":{"x":"y","service.beta.kubernetes.io/load-balancer-source-ranges":"{{annotation}}"} },
             "spec":{"loadBalancerSourceRanges":{{field}} } }
            """).Value!.LoadBalancerSourceRanges);

    [Theory]
    [InlineData("""{"name":"a","deletionTimestamp":"2026-03-04T10:11:12Z"}""", "{}", true)]
    [InlineData("""{"name":"a"}""", """{"taints":[null,{"key":"x"},{"effect":"NoSchedule","key":"ToBeDeletedByClusterAutoscaler","value":"1"}]}""", true)]
    [InlineData("""{"name":"a","deletionTimestamp":null}""", """{"taints":[{"key":"DeletionCandidateOfClusterAutoscaler"}]}""", false)]
    public void A_node_that_goes_away(string metadata, string spec, bool expected) =>
        Assert.Equal(expected, Decode(Kinds.Nodes, $$"""{"metadata":{{metadata}},"spec":{{spec}} }""").Value!.BeingDeleted);

    [Fact]
    public void A_slice_of_somebody_else_is_marked()
    {
        var value = Decode(
            Kinds.EndpointSlices,
            """
            {"metadata":{"name":"a","labels":{"service.kubernetes.io/service-proxy-name":"x","service.kubernetes.io/headless":""},
             "annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"yesterday"}}}
            """).Value!;
        Assert.Equal(("x", true), (value.ProxyName, value.HeadlessLabel));
        Assert.Null(value.LastChangeTriggerTime);
    }

    [Fact]
    public void An_old_service_has_one_address_and_another_proxys_is_marked()
    {
        var value = Decode(
            Kinds.Services,
            """
            {"metadata":{"name":"a","namespace":"n","labels":{"service.kubernetes.io/service-proxy-name":"cilium","service.kubernetes.io/headless":""}},
             "spec":{"clusterIP":"10.0.0.1"}}
            """).Value!;
        Assert.Equal(["10.0.0.1"], value.ClusterIPs);
        Assert.Equal(("cilium", true, "ClusterIP"), (value.ProxyName, value.HeadlessLabel, value.Type));
        Assert.Empty(value.Ports);
    }

    [Fact]
    public void A_slice_with_every_combination_of_conditions()
    {
        var value = Decode(Kinds.EndpointSlices, Samples.Slice).Value!;
        Assert.Equal("cart", value.ServiceName);
        Assert.Equal("IPv4", value.AddressType);
        Assert.Equal([new EndpointPortSnapshot("grpc", "TCP", 9000), new EndpointPortSnapshot("", "TCP", null)], value.Ports);
        Assert.Equal(
            [
                (true, true, false, "node-a"), // all given
                (true, true, false, null), // no conditions at all: ready and serving
                (false, true, false, null), // unknown serving is serving, whatever ready is
                (false, true, true, "node-b"), // leaving, still serving
                (true, true, false, null), // null is absent
            ],
            value.Endpoints.Select(e => (e.Ready, e.Serving, e.Terminating, e.NodeName)));
        Assert.Equal(["10.244.1.5"], value.Endpoints[0].Addresses);
        Assert.Equal(["node-a"], value.Endpoints[0].HintNodes);
        Assert.Equal(["z1", "z2"], value.Endpoints[0].HintZones);
        Assert.Empty(value.Endpoints[1].HintZones);
        Assert.Equal(new DateTimeOffset(2026, 3, 4, 10, 11, 12, TimeSpan.Zero).AddTicks(1234568), value.LastChangeTriggerTime!.Value,
            TimeSpan.FromMicroseconds(1));
        Assert.Equal((null, false), (value.ProxyName, value.HeadlessLabel));
        Assert.Equal("IPv4", value.AddressType);
    }

    [Fact]
    public void A_node()
    {
        var node = Decode(Kinds.Nodes, Samples.Node);
        Assert.Equal(new ObjectName("", "node-a"), node.Name);
        Assert.Equal(["10.244.1.0/24", "fd00:244:1::/64"], node.Value!.PodCidrs);
        Assert.Equal(["192.168.64.3", "fd00::3"], node.Value.InternalIPs);
        Assert.Equal(["203.0.113.5"], node.Value.ExternalIPs);
        Assert.Equal(("z1", false), (node.Value.Zone, node.Value.BeingDeleted));
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"a","namespace":"n"},"spec":{"ports":[{"port":"x"}]}}""", "n/a")]
    [InlineData("""{"metadata":{"name":"a","namespace":"n"},"spec":[]}""", "n/a")]
    [InlineData("""{"metadata":{"name":"a","namespace":"n","labels":{"x":5}},"spec":{}}""", "")]
    [InlineData("""{"metadata":{"namespace":"n"},"spec":{}}""", "")]
    [InlineData("""{"spec":{}}""", "")]
    [InlineData("""{"metadata":{"name":"a","namespace":"n","annotations":{"x":5}},"spec":{}}""", "")]
    [InlineData("null", "")]
    [InlineData("17", "")]
    [InlineData("""{"metadata":{"name":"\ud800","namespace":"n"},"spec":{}}""", "")]
    public void What_cannot_be_decoded_says_so_with_its_name_if_it_has_one(string json, string name)
    {
        var decoded = Decode(Kinds.Services, json);
        Assert.Null(decoded.Value);
        Assert.NotNull(decoded.Error);
        Assert.Equal(name, decoded.HasName ? decoded.Name.ToString() : "");
    }

    [Fact]
    public void Nulls_are_left_out()
    {
        var value = Decode(
            Kinds.Services, """{"metadata":{"name":"a","labels":null},"spec":{"clusterIPs":[null,"10.0.0.1"],"ports":[null,{"port":1,"protocol":null}]}}""").Value!;
        Assert.Equal(["10.0.0.1"], value.ClusterIPs);
        Assert.Equal([new ServicePortSnapshot("", "TCP", 1)], value.Ports);
        Assert.Empty(Decode(Kinds.Services, """{"metadata":{"name":"a"},"spec":null}""").Value!.Ports);
        Assert.Empty(Decode(Kinds.Nodes, """{"metadata":{"name":"a"},"status":{"addresses":[null,{"type":"InternalIP"}]}}""").Value!.InternalIPs);
        Assert.Single(Decode(Kinds.EndpointSlices, """{"metadata":{"name":"a"},"endpoints":[{"addresses":null}]}""").Value!.Endpoints);
    }

    [Fact]
    public void Recurring_strings_are_shared()
    {
        var one = Decode(Kinds.EndpointSlices, Samples.Slice).Value!;
        var two = Decode(Kinds.EndpointSlices, Samples.Slice).Value!;
        Assert.Same(one.Endpoints[0].NodeName, two.Endpoints[0].NodeName);
        Assert.Same(one.Ports[0].Protocol, two.Ports[0].Protocol);
        Assert.Same(one.Name.Namespace, two.Name.Namespace);
    }

    private static Decoded<T> Decode<T>(ResourceKind<T> kind, string json)
        where T : class => kind.Decode(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(json)));
}
