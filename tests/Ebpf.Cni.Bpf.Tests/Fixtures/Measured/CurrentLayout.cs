using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>The objects that this source tree builds.</summary>
/// <param name="variant">A directory below build/bpf; empty for the shipped objects.</param>
internal sealed class CurrentLayout(string variant = "") : ITcLayout
{
    public string Directory { get; } = Path.GetDirectoryName(Repository.BpfObject(Path.Combine(variant, "pod")))!;

    public IReadOnlyList<string> Connections { get; } = [MapNames.ConntrackTcp, MapNames.ConntrackAny];

    public void Configure(BpfObject opened, ConfigFlags flags) =>
        opened.SetReadOnlyGlobal(MapNames.Config, new Config(flags | ConfigFlags.CoarseClock));

    public void SetNode(TcObjects objects, NodeEnd node)
    {
        using var globals = new NodeGlobals(objects.Duplicate(MapNames.Node));
        globals.SetOwn(Addr.Parse(node.V4), Addr.Parse(node.V6));
        globals.SetOverlay(
            node.Tunnel == 0 ? default : new Abi.Overlay((uint)node.Tunnel, NodeEnd.Vni, (uint)node.Mtu, U16Be.FromHost(NodeEnd.Port)));
    }

    public int Forget(BpfMap connections) => connections.DeleteBatch<CtKey>([.. connections.ReadAll<CtKey, Ct>().Select(pair => pair.Key)]);
}
