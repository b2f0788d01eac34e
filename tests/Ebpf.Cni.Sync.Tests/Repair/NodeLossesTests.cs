using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Repair;

/// <summary>Which events are losses, while pods come and go.</summary>
public sealed class NodeLossesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly PodDevices _devices = new();
    private readonly NodeLosses _losses;

    public NodeLossesTests()
    {
        var store = new EndpointStore(
            new EndpointFiles(_directory.Path, "n"), TimeSpan.Zero, TimeProvider.System, NullLogger<EndpointStore>.Instance);
        _losses = new NodeLosses(_devices, new NodeState(store, new SyncOptions("n"), TimeProvider.System), _ => false);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_pods_interface_that_was_set_down_and_still_exists_is_a_loss()
    {
        Down(Pod("a", 7), 7);
        Assert.Equal([7], _losses.Take(_ => true).Select(l => l.Ifindex));
        Assert.Empty(_losses.Take(_ => true));
    }

    [Fact]
    public void A_pod_whose_interface_is_removed_loses_nothing()
    {
        Down(Pod("a", 7), 7);
        Assert.Empty(_losses.Take(_ => false));
    }

    /// <summary>The DEL forgets the device after it has removed the interface: between two looks at it.</summary>
    [Fact]
    public void A_pod_whose_DEL_ends_while_losses_are_judged_loses_nothing()
    {
        Down(Pod("a", 7), 7);
        var b = Pod("b", 8);
        Down(b, 8);
        Assert.Empty(_losses.Take(ifindex =>
        {
            _devices.Remove(b.Key);
            return false;
        }));
    }

    private EndpointRecord Pod(string container, int ifindex)
    {
        var pod = new EndpointRecord
        {
            ContainerId = container, Ifname = "eth0", Netns = "/ns/" + container, Number = (uint)ifindex, Addresses = [$"10.1.0.{ifindex}"],
        };
        _devices.Add(pod, ifindex);
        return pod;
    }

    private void Down(EndpointRecord pod, int ifindex) => Assert.True(_losses.Note(
        new NetworkEvent(NetworkEventKind.LinkSet, ifindex) { Name = pod.Key.HostInterface, WentDown = true }));
}
