using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// The changes of a network namespace, that of the thread that opens this, as netlink reports them. They wait
/// in the kernel until they are read; where they get too many, <see cref="NetworkEventKind.Lost"/> stands for
/// some. A change that has happened before <see cref="Read"/> begins is read by it. For one reader at a time.
/// </summary>
public sealed class NetworkEvents : IDisposable
{
    private NetworkEvents(FdHandle socket) => Socket = socket;

    internal FdHandle Socket { get; }

    /// <summary>In the calling thread's namespace; every change from now on is reported.</summary>
    public static unsafe NetworkEvents Open(NetworkSubscription subscription)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        const int raw = 3, closeOnExec = 0x80000, nonBlocking = 0x800;
        var fd = LibC.Socket(AddressFamilies.Netlink, raw | closeOnExec | nonBlocking, NetlinkSocket.RouteProtocol);
        var socket = fd >= 0 ? new FdHandle(fd) : throw LibC.LastError("open a netlink socket");
        SocketFilter.Attach(socket, subscription);
        var room = GroupAddress.Room;
        _ = LibC.SetSocketOption(socket, GroupAddress.SocketLevel, GroupAddress.ReceiveBufferForce, &room, sizeof(int));
        var address = new GroupAddress { Family = AddressFamilies.Netlink, Groups = GroupAddress.LinksAddressesRoutes };
        if (subscription.NeighboursAndSettings)
            address.Groups |= GroupAddress.NeighboursSettings;
        if (LibC.Bind(socket, &address, (uint)sizeof(GroupAddress)) != 0)
        {
            var error = LibC.LastError("watch interfaces, addresses and routes");
            socket.Dispose();
            throw error;
        }

        // A next hop object's routes are not reported with it (net.ipv4.nexthop_compat_mode=0). Kernels before 5.3 have neither.
        var group = GroupAddress.NextHops;
        _ = LibC.SetSocketOption(socket, GroupAddress.NetlinkLevel, GroupAddress.AddMembership, &group, sizeof(int));
        return new NetworkEvents(socket);
    }

    /// <summary>
    /// Changes the subscription to routes and next hops. That to neighbours and settings cannot be changed.
    /// </summary>
    public void Subscribe(NetworkSubscription subscription)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        SocketFilter.Attach(Socket, subscription);
    }

    /// <summary>Reads what there is; does not wait.</summary>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    [SkipLocalsInit]
    public unsafe void Read(Action<NetworkEvent> each)
    {
        ArgumentNullException.ThrowIfNull(each);
        const int size = 16 * 1024;
        var buffer = stackalloc byte[size];
        while (true)
        {
            var length = LibC.ReceiveFrom(Socket, buffer, size, 0, null, null);
            if (length >= 0)
            {
                NetworkEventReader.Read(new ReadOnlySpan<byte>(buffer, (int)length), each);
                continue;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EAGAIN:
                    return;
                case Errno.ENOBUFS: // messages were lost
                    each(default);
                    break;
                case Errno.EINTR:
                    break;
                default:
                    throw LibC.LastError("read changes of interfaces, addresses and routes");
            }
        }
    }

    public void Dispose() => Socket.Dispose();

    /// <summary>struct sockaddr_nl</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct GroupAddress
    {
        /// <summary>RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE</summary>
        public const uint LinksAddressesRoutes = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

        /// <summary>RTMGRP_NEIGH; RTNLGRP_IPV4_NETCONF and RTNLGRP_IPV6_NETCONF: the n-th group is bit n - 1.</summary>
        public const uint NeighboursSettings = 0x4 | 1u << 23 | 1u << 24;

        /// <summary>RTNLGRP_NEXTHOP has no bit: it is joined by number.</summary>
        public const int NextHops = 32;
        public const int NetlinkLevel = 270, AddMembership = 1;

        /// <summary>
        /// Bytes; some thousand events, which take none as long as they are read: a routing daemon replaces so many at once.
        /// </summary>
        public const int Room = 4 << 20;
        public const int SocketLevel = 1, ReceiveBufferForce = 33;

        public ushort Family;
        public ushort Pad;
        public uint Port;
        public uint Groups;
    }
}
