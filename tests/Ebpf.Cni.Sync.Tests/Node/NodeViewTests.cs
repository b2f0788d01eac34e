using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>A view is made anew when something in it may have changed, which most compiles are not for.</summary>
public sealed class NodeViewTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly NodeState _state;

    public NodeViewTests() => _state = new NodeState(
        new EndpointStore(new EndpointFiles(_directory.Path, "n1"), TimeSpan.Zero, TimeProvider.System, NullLogger<EndpointStore>.Instance),
        new SyncOptions("n1"), TimeProvider.System);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_view_of_the_same_is_the_same()
    {
        _state.SetNetworkState(Facts(2));
        var view = _state.View(Self("192.0.2.1"));
        Assert.Same(view, _state.View(Self("192.0.2.1")));
        _state.Lost();
        Assert.True(_state.Changed.IsCompleted);
        Assert.Same(view, _state.View(Self("192.0.2.1")));
        Assert.False(_state.Changed.IsCompleted);
        _state.SetNetworkState(Facts(2));
        Assert.Same(view, _state.View(Self("192.0.2.1")));
        // The API has no Node for a moment: its addresses are those known before, but issues have no uid.
        Assert.Equal(view.Context, _state.View(null).Context);
    }

    [Fact]
    public void Each_of_its_inputs_makes_another()
    {
        _state.SetNetworkState(Facts(2));
        var view = _state.View(Self("192.0.2.1"));
        view = Another(() => _state.SetNetworkState(Facts(3)), "192.0.2.1");
        Assert.Equal([3], view.Network.Main);
        view = Another(() => { }, "192.0.2.2");
        view = Another(() => _state.SetServers([new NodeServer(Addr.Parse("192.0.2.1"), 53, IpProtocol.Udp)]), "192.0.2.2");
        Assert.Single(view.Context.NodeServers);
        view = Another(() => _state.SetFought("the route to 10.244.0.5/32 was deleted"), "192.0.2.2");
        Assert.Contains("10.244.0.5", Assert.Single(view.Issues).Message, StringComparison.Ordinal);
        view = Another(() => _state.SetFought(null), "192.0.2.2");
        Assert.Empty(view.Issues);

        NodeView Another(Action change, string address)
        {
            change();
            var now = _state.View(Self(address));
            Assert.NotSame(view, now);
            Assert.Same(now, _state.View(Self(address)));
            return now;
        }
    }

    /// <summary>Every new interface says that it does not forward IPv6 where that is the kernel's default.</summary>
    [Theory, InlineData(false, true), InlineData(true, false)]
    public void Forwarding_is_a_loss_in_a_family_that_the_node_has(bool ofIPv6, bool loss)
    {
        var losses = new NodeLosses(new PodDevices(), _state, _ => false);
        _state.SetNetworkState(Facts(2));
        _state.View(Self("192.0.2.1"));
        var told = new NetworkEvent(NetworkEventKind.Setting, NetworkEvent.AllInterfaces) { ForwardingOff = true, OfIPv6 = ofIPv6 };
        Assert.Equal(loss, losses.Note(told));
    }

    private static NodeNetworkState Facts(int uplink) => new(
        [new LinkInfo(uplink, "eth0") { Up = true, Ethernet = true, Mtu = 1500 }],
        [new AddressInfo(uplink, IPAddress.Parse("192.0.2.1"), 24), new AddressInfo(uplink, IPAddress.Parse("192.0.2.2"), 24)],
        [new(IPNetwork.Parse("0.0.0.0/0"), uplink) { Gateway = IPAddress.Parse("192.0.2.254") }]);

    private static NodeSnapshot Self(string address) => new() { Name = "n1", Uid = "u1", InternalIPs = [address] };
}
