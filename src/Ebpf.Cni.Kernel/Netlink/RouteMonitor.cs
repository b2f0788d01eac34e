using System.Runtime.InteropServices;
using System.Threading.Channels;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// Signals changes of interfaces, addresses or routes of a network namespace: that of the thread that opens it. It says when to look, not
/// what is there: changes that come together are one, and one without a waiter is kept. A kernel that had to drop messages counts as a
/// change.
/// </summary>
public sealed class RouteMonitor : IDisposable
{
    private readonly NetworkEvents _events;
    private readonly FdHandle _stop;
    private readonly Thread _thread;
    private readonly Func<NetworkEvent, bool> _matters;
    private readonly Channel<bool> _changes =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private RouteMonitor(NetworkEvents events, FdHandle stop, Func<NetworkEvent, bool> matters)
    {
        _events = events;
        _stop = stop;
        _matters = matters;
        _thread = new Thread(Run) { IsBackground = true, Name = "rtnetlink monitor" };
        _thread.Start();
    }

    /// <summary>
    /// In the calling thread's namespace; everything of the main table, interfaces, addresses and next hops from now on is reported.
    /// </summary>
    public static RouteMonitor Open() => Open(new NetworkSubscription(), _ => true);

    /// <param name="subscription">The events to receive.</param>
    /// <param name="matters">Whether an event is a change; called for each of them, on a thread of this object's.</param>
    public static unsafe RouteMonitor Open(NetworkSubscription subscription, Func<NetworkEvent, bool> matters)
    {
        ArgumentNullException.ThrowIfNull(matters);
        const int closeOnExec = 0x80000;
        var events = NetworkEvents.Open(subscription);
        var stop = LibC.EventFd(0, closeOnExec);
        if (stop >= 0)
            return new RouteMonitor(events, new FdHandle(stop), matters);
        var failure = LibC.LastError("make an event descriptor");
        events.Dispose();
        throw failure;
    }

    /// <summary>As <see cref="NetworkEvents.Subscribe"/>.</summary>
    public void Subscribe(NetworkSubscription subscription) => _events.Subscribe(subscription);

    /// <summary>Completes when something has changed since it completed last, or since the monitor was opened.</summary>
    /// <exception cref="ChannelClosedException">The monitor was disposed, or watching failed: then with the cause inside.</exception>
    public async Task WaitForChangeAsync(CancellationToken cancellation = default) =>
        await _changes.Reader.ReadAsync(cancellation).ConfigureAwait(false);

    public unsafe void Dispose()
    {
        var one = 1UL;
        if (!_stop.IsClosed)
            _ = LibC.Write(_stop, &one, sizeof(ulong));
        _thread.Join();
        _stop.Dispose();
        _events.Dispose();
    }

    private void Run()
    {
        Exception? error = null;
        try
        {
            while (Wait())
                _events.Read(Handle);
        }
        catch (Exception e) // any: it reaches the reader that waits for changes
        {
            error = e;
        }
        _changes.Writer.TryComplete(error);
    }

    private void Handle(NetworkEvent change)
    {
        if (_matters(change))
            _changes.Writer.TryWrite(true);
    }

    /// <returns>False when it is time to stop.</returns>
    private unsafe bool Wait()
    {
        using var socket = _events.Socket.Lease();
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
}
