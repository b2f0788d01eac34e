using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// Interfaces, addresses, routes and neighbours of one network namespace: that of the thread that opens it, whichever
/// thread uses it later. Safe for concurrent use; requests go one after the other. A refusal is a
/// <see cref="KernelException"/> with the kernel's explanation, an unreadable answer a <see cref="NetlinkFormatException"/>.
/// </summary>
public sealed partial class RouteNetlink : IDisposable
{
    private readonly NetlinkSocket _socket;

    private RouteNetlink(NetlinkSocket socket) => _socket = socket;

    /// <summary>In the calling thread's namespace.</summary>
    public static RouteNetlink Open() => new(NetlinkSocket.Open());

    public static RouteNetlink Open(NetworkNamespace networkNamespace)
    {
        ArgumentNullException.ThrowIfNull(networkNamespace);
        return networkNamespace.Run(Open);
    }

    /// <summary>By which events name this object as the one that changed something (<see cref="NetworkEvent.Requester"/>).</summary>
    public uint Port => _socket.Port;

    public void Dispose() => _socket.Dispose();

    private void Execute(NetlinkRequest request, string operation) => _socket.Execute(request, operation);
}
