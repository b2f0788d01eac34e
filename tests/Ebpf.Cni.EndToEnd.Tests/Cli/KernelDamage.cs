using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Cli;

/// <summary>What an agent does not expect: somebody else writes its tables.</summary>
internal static class KernelDamage
{
    public static void RemoveFrontend(SandboxNode node, string address, ushort port)
    {
        using var frontends = BpfMap.OpenPinned(Path.Combine(node.BpffsRoot, "maps", MapNames.Service));
        Assert.True(frontends.Delete(new SvcKey(Addr.Parse(address), U16Be.FromHost(port), IpProtocol.Tcp, Scope.Internal)));
    }
}
