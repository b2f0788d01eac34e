using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// Tells that interfaces, addresses or routes of a network namespace have changed: that of the thread that opens it. It says when to look, not what
/// is there: changes that come together are one, and one that nobody waited for is kept. A kernel that had to drop messages counts as a change.
/// </summary>
public sealed class RouteMonitor : IDisposable
{
    private readonly FdHandle _socket;
    private readonly FdHandle _stop;
    private readonly Thread _thread;
    private readonly LossFilter? _filter;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private RouteMonitor(FdHandle socket, FdHandle stop, LossFilter? filter)
    {
        _socket = socket;
        _stop = stop;
        _filter = filter;
        _thread = new Thread(Run) { IsBackground = true, Name = "rtnetlink monitor" };
        _thread.Start();
    }

    /// <summary>In the calling thread's namespace; everything from now on is told.</summary>
    public static RouteMonitor Open() => Open(GroupAddress.LinksAddressesRoutes, null);

    /// <summary>
    /// Tells only of what somebody may have to put back: routes of one protocol number that go, neighbours and addresses of some devices that go, changes of these devices
    /// themselves, and forwarding that is switched off.
    /// </summary>
    /// <param name="protocol">Whose routes.</param>
    /// <param name="ours">Says of the index of a device whether it counts; called on a thread of this object's.</param>
    public static RouteMonitor OpenForLosses(byte protocol, Func<int, bool> ours)
    {
        ArgumentNullException.ThrowIfNull(ours);
        return Open(GroupAddress.LinksAddressesRoutes | GroupAddress.NeighboursSettings, new LossFilter(protocol, ours));
    }

    private static unsafe RouteMonitor Open(uint groups, LossFilter? filter)
    {
        const int raw = 3, closeOnExec = 0x80000, nonBlocking = 0x800;
        var fd = LibC.Socket(AddressFamilies.Netlink, raw | closeOnExec | nonBlocking, NetlinkSocket.RouteProtocol);
        var socket = fd >= 0 ? new FdHandle(fd) : throw LibC.LastError("open a netlink socket");
        var address = new GroupAddress { Family = AddressFamilies.Netlink, Groups = groups };
        if (LibC.Bind(socket, &address, (uint)sizeof(GroupAddress)) != 0)
        {
            var error = LibC.LastError("watch interfaces, addresses and routes");
            socket.Dispose();
            throw error;
        }
        // A next hop object's routes are not told of with it (net.ipv4.nexthop_compat_mode=0). Kernels before 5.3 have neither.
        var group = GroupAddress.NextHops;
        _ = LibC.SetSocketOption(socket, GroupAddress.NetlinkLevel, GroupAddress.AddMembership, &group, sizeof(int));
        var stop = LibC.EventFd(0, closeOnExec);
        if (stop >= 0)
            return new RouteMonitor(socket, new FdHandle(stop), filter);
        var failure = LibC.LastError("make an event descriptor");
        socket.Dispose();
        throw failure;
    }

    /// <summary>Completes when something has changed since it completed last, or since the monitor was opened.</summary>
    /// <exception cref="ChannelClosedException">The monitor was disposed, or watching failed: then with the cause inside.</exception>
    public async Task WaitForChangeAsync(CancellationToken cancellation = default) => await _changes.Reader.ReadAsync(cancellation).ConfigureAwait(false);

    public unsafe void Dispose()
    {
        var one = 1UL;
        if (!_stop.IsClosed)
            _ = LibC.Write(_stop, &one, sizeof(ulong));
        _thread.Join();
        _stop.Dispose();
        _socket.Dispose();
    }

    private void Run()
    {
        Exception? error = null;
        try
        {
            while (Wait())
                if (Drain())
                    _changes.Writer.TryWrite(true);
        }
        catch (Exception e) // any: it reaches whoever waits for changes
        {
            error = e;
        }
        _changes.Writer.TryComplete(error);
    }

    /// <returns>False when it is time to stop.</returns>
    private unsafe bool Wait()
    {
        using var socket = _socket.Lease();
        using var stop = _stop.Lease();
        var polled = stackalloc LibC.PollFd[]
        {
            new() { Fd = socket.Fd, Events = LibC.POLLIN },
            new() { Fd = stop.Fd, Events = LibC.POLLIN },
        };
        while (LibC.Poll(polled, 2, -1) < 0)
            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                throw LibC.LastError("wait for changes of interfaces, addresses and routes");
        return polled[1].Returned == 0;
    }

    /// <returns>Whether anything was told.</returns>
    [SkipLocalsInit]
    private unsafe bool Drain()
    {
        const int size = 16 * 1024;
        var buffer = stackalloc byte[size];
        for (var told = false; ;)
        {
            var length = LibC.ReceiveFrom(_socket, buffer, size, 0, null, null);
            if (length >= 0)
            {
                told |= _filter?.Matters(new ReadOnlySpan<byte>(buffer, (int)length)) ?? true;
                continue;
            }
            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EAGAIN:
                    return told;
                case Errno.ENOBUFS: // messages were lost
                    told = true;
                    break;
                case Errno.EINTR:
                    break;
                default:
                    throw LibC.LastError("read changes of interfaces, addresses and routes");
            }
        }
    }

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

        public ushort Family;
        public ushort Pad;
        public uint Port;
        public uint Groups;
    }
}
