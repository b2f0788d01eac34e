using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

public sealed class EndpointTableTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void A_pod_has_an_entry_for_each_address_and_survives_a_restart()
    {
        var pod = Pod(1, "10.244.0.5", "fd00:244::5");
        var single = Pod(2, "10.244.0.6");
        using (var dataplane = Open())
        {
            dataplane.Endpoints.Put(pod);
            dataplane.Endpoints.Put(single);
            dataplane.Endpoints.Put(pod);
        }
        using var again = Open();
        Assert.Equal([1u, 2u], again.Endpoints.List().Select(e => e.Id));
        var found = again.Endpoints.List()[0];
        Assert.Equal(pod.Addresses.Order(), found.Addresses);
        Assert.Equal((pod.Ifindex, pod.PodMac, pod.HostMac), (found.Ifindex, found.PodMac, found.HostMac));
        Assert.Equal(2, again.Endpoints.Remove(pod.Addresses));
        Assert.Equal(0, again.Endpoints.Remove(pod.Addresses));
        Assert.Equal(1u, again.Endpoints.Usage().Entries);
    }

    [Fact]
    public void A_pod_is_found_by_its_own_addresses_without_a_look_at_the_others()
    {
        using var dataplane = Open();
        var pod = Pod(1, "10.244.0.5", "fd00:244::5");
        dataplane.Endpoints.Put(pod);
        dataplane.Endpoints.Put(Pod(2, "10.244.0.6"));
        var listed = dataplane.Endpoints.List()[0];
        var found = dataplane.Endpoints.Find(1, pod.Addresses)!;
        Assert.Equal(listed.Addresses, found.Addresses);
        Assert.Equal(listed with { Addresses = found.Addresses }, found);
        // one of them is gone, or another's
        dataplane.Endpoints.Remove([pod.Addresses[0]]);
        Assert.Equal([pod.Addresses[1]], dataplane.Endpoints.Find(1, pod.Addresses)!.Addresses);
        Assert.Null(dataplane.Endpoints.Find(1, [Addr.Parse("10.244.0.6")]));
        Assert.Null(dataplane.Endpoints.Find(3, pod.Addresses));
    }

    [Fact]
    public void A_full_table_takes_a_pod_whole_or_not_at_all()
    {
        using var dataplane = Open(size: 3);
        dataplane.Endpoints.Put(Pod(1, "10.244.0.5", "fd00:244::5"));
        var e = Assert.Throws<DataplaneException>(() => dataplane.Endpoints.Put(Pod(2, "10.244.0.6", "fd00:244::6")));
        Assert.Contains("the endpoint-table-size option", e.Message, StringComparison.Ordinal);
        Assert.Equal([1u], dataplane.Endpoints.List().Select(p => p.Id));
    }

    [Fact]
    public void The_addresses_of_a_namespace_come_and_go_with_the_pod()
    {
        using (var dataplane = Open())
        {
            dataplane.Endpoints.Put(Pod(1, "10.244.0.5", "fd00:244::5") with { NetnsCookie = 77 });
            dataplane.Endpoints.Put(Pod(2, "10.244.0.6") with { NetnsCookie = 78 });
            dataplane.Endpoints.Put(Pod(3, "10.244.0.7")); // a kernel that does not tell
            Assert.Equal([77ul, 78, 0], dataplane.Endpoints.List().Select(e => e.NetnsCookie));
        }
        using var again = Open();
        using var netns = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Netns));
        Assert.Equal(
            [(77ul, "10.244.0.5", "fd00:244::5"), (78, "10.244.0.6", "::")],
            netns.ReadAll<NetnsKey, Netns>().OrderBy(e => e.Key.Cookie)
                .Select(e => (e.Key.Cookie, e.Value.V4.ToString(), e.Value.V6.ToString())));
        again.Endpoints.Remove([Addr.Parse("10.244.0.5"), Addr.Parse("fd00:244::5")]);
        again.Endpoints.Put(Pod(4, "10.244.0.6") with { NetnsCookie = 79 }); // the address's next owner
        Assert.Equal([79ul], netns.ReadAll<NetnsKey, Netns>().Select(e => e.Key.Cookie));
        again.Endpoints.Put(Pod(4, "10.244.0.6"));
        Assert.Empty(netns.ReadAll<NetnsKey, Netns>());
    }

    private NodeDataplane Open(uint size = 64) =>
        NodeDataplane.Open(_ground.Options with { EndpointTableSize = size });

    private static PodEndpoint Pod(uint id, params string[] addresses) => new(
        id, 10 + (int)id, MacAddr.Parse("02:00:00:00:00:01"), MacAddr.Parse("02:00:00:00:00:02"), [.. addresses.Select(Addr.Parse)]);
}
