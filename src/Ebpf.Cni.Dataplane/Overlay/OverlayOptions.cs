namespace Ebpf.Cni.Dataplane.Overlay;

/// <summary>What the tunnels of a node are like; the same on every node of the cluster, but for <see cref="Mtu"/>.</summary>
public sealed record OverlayOptions
{
    /// <summary>The device's name. No pod's host side is called so.</summary>
    public const string DeviceName = "ebc-vxlan";

    public string Name { get; init; } = DeviceName;

    /// <summary>
    /// UDP. 8472 is the number that Linux had before there was an assigned one, and what other CNIs use: 4789 is often in use by the
    /// network below.
    /// </summary>
    public ushort Port { get; init; } = 8472;

    /// <summary>The number of the cluster's network, 24 bits; what comes for another is dropped.</summary>
    public uint Vni { get; init; } = 1;

    /// <summary>Of inner packets: the uplink's less 50 bytes over IPv4, 70 over IPv6.</summary>
    public required int Mtu { get; init; }

    /// <summary>Where settings below /proc/sys/net are written.</summary>
    public string SysctlRoot { get; init; } = "/proc/sys/net";
}
