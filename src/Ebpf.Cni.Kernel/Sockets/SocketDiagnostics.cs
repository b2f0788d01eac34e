using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Sockets;

/// <summary>
/// The TCP and UDP sockets of one network namespace (NETLINK_SOCK_DIAG): that of the thread that opens it, whichever thread uses it later.
/// Safe for concurrent use.
/// </summary>
public sealed class SocketDiagnostics : IDisposable
{
    private const MessageType SocketsByFamily = (MessageType)20, DestroySocket = (MessageType)21;

    private readonly NetlinkSocket _socket;

    private SocketDiagnostics(NetlinkSocket socket) => _socket = socket;

    /// <summary>In the calling thread's namespace.</summary>
    public static SocketDiagnostics Open() => new(NetlinkSocket.Open(NetlinkSocket.SocketDiagnosticsProtocol));

    public static SocketDiagnostics Open(NetworkNamespace networkNamespace)
    {
        ArgumentNullException.ThrowIfNull(networkNamespace);
        return networkNamespace.Run(Open);
    }

    /// <summary>Both families; not a snapshot, sockets come and go meanwhile.</summary>
    /// <param name="protocol">TCP or UDP.</param>
    /// <param name="states">Only these; none: all.</param>
    /// <exception cref="KernelException">ENOENT where the kernel has no diagnostics for this protocol.</exception>
    public IReadOnlyList<SocketInfo> List(SocketProtocol protocol, params ReadOnlySpan<SocketState> states)
    {
        uint mask = 0;
        foreach (var state in states)
            mask |= 1u << (int)state;
        return [.. Dump(protocol, AddressFamilies.IPv4, mask), .. Dump(protocol, AddressFamilies.IPv6, mask)];
    }

    /// <summary>Sockets that receive what is sent to one of these ports from anywhere: listening TCP, unconnected UDP.</summary>
    public IReadOnlyList<SocketInfo> Listeners(IReadOnlySet<ushort> ports)
    {
        ArgumentNullException.ThrowIfNull(ports);
        return
        [
            .. List(SocketProtocol.Tcp, SocketState.Listen).Concat(List(SocketProtocol.Udp, SocketState.Close))
                .Where(s => ports.Contains((ushort)s.Local.Port)),
        ];
    }

    /// <summary>Aborts a socket as if the network had: its process gets ECONNABORTED, its address is free.</summary>
    /// <returns>False if it has gone by itself.</returns>
    /// <exception cref="KernelException">EOPNOTSUPP where the kernel cannot (CONFIG_INET_DIAG_DESTROY).</exception>
    public bool Destroy(SocketInfo socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var request = new SocketRequest { Family = socket.Family, Protocol = (byte)socket.Protocol, States = uint.MaxValue,
            Id = socket.Id };
        try
        {
            _socket.Execute(
                NetlinkRequest.Create(DestroySocket, MessageFlags.Acknowledge, in request),
                $"destroy the {socket.Protocol} socket {socket.Local} to {socket.Remote}");
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    /// <summary>Whether UDP sockets can be listed and destroyed: found by listing, and by destroying one that does not exist.</summary>
    public bool CanDestroyUdp()
    {
        try
        {
            List(SocketProtocol.Udp, SocketState.NewSynReceived); // no UDP socket is ever in this state
            return !Destroy(new SocketInfo(SocketProtocol.Udp, SocketState.Established, new(0, 0), new(0, 0), 0, 0)
                { Family = AddressFamilies.IPv4 });
        }
        catch (KernelException e) when (e.Errno is Errno.EOPNOTSUPP or Errno.ENOENT or Errno.EINVAL)
        {
            return false;
        }
    }

    public void Dispose() => _socket.Dispose();

    private List<SocketInfo> Dump(SocketProtocol protocol, byte family, uint states)
    {
        var request = new SocketRequest { Family = family, Protocol = (byte)protocol, States = states == 0 ? uint.MaxValue : states };
        return _socket.Dump(
            NetlinkRequest.Create(SocketsByFamily, MessageFlags.Dump, in request), $"list {protocol} sockets", SocketsByFamily,
            payload => SocketInfo.Read(protocol, payload));
    }
}
