using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>
/// The layout-dependent part of a build of the tc objects: directory, configuration, and the tables whose layout changes between builds.
/// Layouts that all builds share are in <see cref="TcObjects"/>.
/// </summary>
internal interface ITcLayout
{
    /// <summary>Holds pod.bpf.o, uplink.bpf.o and overlay.bpf.o.</summary>
    string Directory { get; }

    /// <summary>Names of the connection tables.</summary>
    IReadOnlyList<string> Connections { get; }

    /// <summary>Sets the read-only configuration of an object that is not loaded yet.</summary>
    void Configure(BpfObject opened, ConfigFlags flags);

    /// <summary>Writes the node's own addresses and its end of the tunnels.</summary>
    void SetNode(TcObjects objects, NodeEnd node);

    /// <summary>Deletes all connections of a table.</summary>
    /// <returns>The number of deleted entries.</returns>
    int Forget(BpfMap connections);
}

/// <summary>A node's own addresses and its tunnel endpoint, as the programs read them.</summary>
/// <param name="V4">InternalIP, IPv4.</param>
/// <param name="V6">InternalIP, IPv6.</param>
/// <param name="Tunnel">The index of the VXLAN device; 0 without tunnels.</param>
/// <param name="Mtu">Of inner packets.</param>
internal sealed record NodeEnd(string V4, string V6, int Tunnel, int Mtu)
{
    public const ushort Port = 8472;
    public const uint Vni = 1;
}
