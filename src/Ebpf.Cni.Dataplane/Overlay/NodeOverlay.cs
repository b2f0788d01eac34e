using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Failures;

namespace Ebpf.Cni.Dataplane.Overlay;

/// <summary>
/// This node's end of the tunnels to other nodes: the device, its programs, and its part of <see cref="NodeGlobals"/>. Which
/// destinations go through a tunnel is decided by <see cref="Cluster.IpcacheTable"/>, and to the node's own sockets by
/// <see cref="Routes.RouteTable"/>: notify them of the device after <see cref="Ensure"/>, and that there is none before
/// <see cref="Remove"/>. In the network namespace of the calling thread; not thread-safe.
/// </summary>
public sealed class NodeOverlay : IDisposable
{
    private readonly NodeGlobals _globals;

    internal NodeOverlay(OverlayPrograms programs, NodeGlobals globals)
    {
        Programs = programs;
        _globals = globals;
    }

    public OverlayPrograms Programs { get; }

    /// <summary>Makes everything what the options say; idempotent. The device carries nothing before its programs are there.</summary>
    /// <returns>The device's interface index; another one when it had to be made anew.</returns>
    /// <exception cref="DataplaneException">Something else has the device's name.</exception>
    /// <exception cref="Kernel.KernelException">The kernel refuses: EEXIST if another VXLAN device has the port.</exception>
    public int Ensure(OverlayOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var ifindex = OverlayDevice.Ensure(options);
        _globals.SetOverlay(new Abi.Overlay((uint)ifindex, options.Vni, (uint)options.Mtu, U16Be.FromHost(options.Port)));
        Programs.Apply(ifindex);
        OverlayDevice.SetUp(ifindex);
        return ifindex;
    }

    /// <summary>Takes away the device and its programs; idempotent.</summary>
    public void Remove(string device = OverlayOptions.DeviceName)
    {
        _globals.SetOverlay(default);
        Programs.Apply(null);
        OverlayDevice.Remove(device);
    }

    /// <summary>Closes descriptors; what there is stays.</summary>
    public void Dispose() => Programs.Dispose();
}
