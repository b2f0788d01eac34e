using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Pods;

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
    public void A_full_table_takes_a_pod_whole_or_not_at_all()
    {
        using var dataplane = Open(size: 3);
        dataplane.Endpoints.Put(Pod(1, "10.244.0.5", "fd00:244::5"));
        var e = Assert.Throws<DataplaneException>(() => dataplane.Endpoints.Put(Pod(2, "10.244.0.6", "fd00:244::6")));
        Assert.Contains("--endpoint-table-size", e.Message, StringComparison.Ordinal);
        Assert.Equal([1u], dataplane.Endpoints.List().Select(p => p.Id));
    }

    private NodeDataplane Open(uint size = 64) =>
        NodeDataplane.Open(_ground.Options with { EndpointTableSize = size, SocketLb = SocketLbMode.Off });

    private static PodEndpoint Pod(uint id, params string[] addresses) => new(
        id, 10 + (int)id, MacAddr.Parse("02:00:00:00:00:01"), MacAddr.Parse("02:00:00:00:00:02"), [.. addresses.Select(Addr.Parse)]);
}
