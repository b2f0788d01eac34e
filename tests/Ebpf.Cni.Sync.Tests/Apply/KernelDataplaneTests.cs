using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Tests.Interfaces;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Apply;

/// <summary>The dataplane on a real node.</summary>
public sealed class KernelDataplaneTests
{
    [Fact]
    public void An_apply_relies_on_the_last_one_until_a_verification()
    {
        Requires.Root();
        using var node = new RealNode();
        var options = new SyncOptions("n");
        var others = new NodeApply(
            new NoHealthChecks(), new SnapshotStore(TimeProvider.System), new PodMtu(options),
            new PeerReport(NullLogger<PeerReport>.Instance), options, NullLogger<NodeApply>.Instance);
        var dataplane = new KernelDataplane(Task.FromResult(node.Dataplane), others);
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var uplink = netlink.AddVeth("up0", "up1").Index;
            netlink.SetUp(uplink);
            netlink.SetUp(netlink.FindLink("up1")!.Index);
            netlink.AddAddress(uplink, IPAddress.Parse("192.0.2.1"), 24);
            node.State.SetNetworkState(NodeNetworkState.Read());
            var view = node.State.View(null);
            Assert.False(dataplane.Apply(view, DesiredState.Empty).OthersNeedRetry);
            var pins = Pins();
            Assert.NotEmpty(pins);

            // Another program takes the agent's programs off the uplink.
            foreach (var pin in pins)
                File.Delete(pin);
            dataplane.Apply(view, DesiredState.Empty);
            Assert.Empty(Pins());
            Assert.Null(dataplane.Verify().Failure);
            dataplane.Apply(view, DesiredState.Empty);
            Assert.Equal(pins, Pins());

            string[] Pins() =>
                [.. Directory.GetFiles(Path.Combine(node.BpffsRoot, "links", "uplink"), $"{uplink}_*").Order(StringComparer.Ordinal)];
        });
    }

    private sealed class NoHealthChecks : IHealthChecks
    {
        public ImmutableArray<(DesiredHealthCheck Check, string Cause)> Apply(DesiredState desired) => [];
    }
}
