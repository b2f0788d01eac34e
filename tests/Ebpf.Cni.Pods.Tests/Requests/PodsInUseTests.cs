using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>Which pods would lose something: those with an interface or a namespace, whatever else is missing.</summary>
public sealed class PodsInUseTests
{
    private static readonly EndpointRecord Pod = new()
    {
        ContainerId = "c1", Ifname = "eth0", Netns = "/ns/gone", Number = 1, Addresses = ["10.1.0.2"], Ready = true, Pod = "shop/cart",
    };

    private readonly FakeNode _node = new();
    private readonly List<LinkInfo> _links = [];
    private readonly HashSet<EndpointKey> _deleted = [];

    [Fact]
    public void A_pod_without_interface_and_namespace_is_gone() => Assert.Empty(Find(Pod));

    [Fact]
    public void A_namespace_alone_is_a_pod()
    {
        _node.Namespaces.Add(Pod.Netns);
        Assert.Equal(["the pod shop/cart (c1/eth0)"], Find(Pod));
    }

    /// <summary>A path that cannot be seen proves nothing: the mount may be missing in this container.</summary>
    [Fact]
    public void An_interface_alone_is_a_pod()
    {
        _node.CreateLink(Pod);
        Assert.Equal(["the pod of c1/eth0"], Find(Pod with { Pod = "" }));
    }

    [Fact]
    public void An_interface_that_stays_although_its_namespace_is_gone_is_a_pod_all_the_same()
    {
        _node.CreateLink(Pod);
        _node.GoneNamespaces.Add(Pod.Netns);
        Assert.Single(Find(Pod));
    }

    [Fact]
    public void Deleted_pods_and_interrupted_ones_do_not_count()
    {
        _node.CreateLink(Pod);
        _node.Namespaces.Add(Pod.Netns);
        Assert.Empty(Find(Pod with { Ready = false }));
        _deleted.Add(Pod.Key);
        Assert.Empty(Find(Pod));
    }

    [Fact]
    public void An_interface_without_a_record_is_a_pod_if_its_alias_is_an_agents()
    {
        _links.Add(new LinkInfo(7, Pod.Key.HostInterface) { Alias = Pod.Key.Alias("shop/cart") });
        _links.Add(new LinkInfo(8, "ecni00000000000") { Alias = "somebody's" });
        Assert.Contains("shop/cart", Assert.Single(Find()), StringComparison.Ordinal);
        Assert.Empty(Find(Pod)); // the record says more
    }

    private IReadOnlyList<string> Find(params EndpointRecord[] records) => PodsInUse.Find(records, _deleted.Contains, _node, () => _links);
}
