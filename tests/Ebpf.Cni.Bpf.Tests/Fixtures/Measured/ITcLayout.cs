using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>What differs between builds of the tc objects: where they are, their configuration, and the tables whose layout changed. All else is <see cref="TcObjects"/>.</summary>
internal interface ITcLayout
{
    /// <summary>Of pod.bpf.o, uplink.bpf.o and overlay.bpf.o.</summary>
    string Directory { get; }

    /// <summary>The connection tables.</summary>
    IReadOnlyList<string> Connections { get; }

    /// <summary>Sets the read-only configuration of an object that is not loaded yet.</summary>
    void Configure(BpfObject opened, ConfigFlags flags);

    /// <summary>Writes the node's own addresses and its end of the tunnels.</summary>
    void SetNode(TcObjects objects, NodeEnd node);

    /// <summary>Deletes all connections of a table.</summary>
    /// <returns>How many entries there were.</returns>
    int Forget(BpfMap connections);
}

/// <summary>A node as its programs see it.</summary>
/// <param name="V4">Its own address.</param>
/// <param name="V6">Its own address.</param>
/// <param name="Tunnel">The index of the VXLAN device; 0 without tunnels.</param>
/// <param name="Mtu">Of packets in the tunnel.</param>
internal sealed record NodeEnd(string V4, string V6, int Tunnel, int Mtu)
{
    public const ushort Port = 8472;
    public const uint Vni = 1;
}
