using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// A conversation with a part of the kernel: one request, one answer. It belongs to the network namespace of the thread that opens
/// it, for good, whichever thread uses it. One caller at a time.
/// </summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>NETLINK_ROUTE, NETLINK_SOCK_DIAG.</summary>
    public const int RouteProtocol = 0, SocketDiagnosticsProtocol = 4;

    private const int SocketRaw = 3, CloseOnExec = 0x80000;
    private const int SocketLevel = 1, ReceiveTimeout = 20;
    private const int NetlinkLevel = 270, CapAck = 10, ExtendedAck = 11, StrictCheck = 12;
    private const int TruncatedFlag = 0x20;

    // the kernel answers within the system call; this only turns a lost answer into an error instead of a hang
    private const int AnswerSeconds = 10;
    private const int DumpTries = 20;

    private readonly Lock _gate = new();
    private readonly FdHandle _fd;

    // the kernel fills no more than 32 KiB at once (netlink_recvmsg), and gives a socket that is opened for one question no large object to
    // collect
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(32 * 1024);
    private uint _sequence;

    private NetlinkSocket(FdHandle fd) => _fd = fd;

    public static NetlinkSocket Open(int protocol = RouteProtocol)
    {
        var fd = LibC.Socket(AddressFamilies.Netlink, SocketRaw | CloseOnExec, protocol);
        if (fd < 0)
            throw LibC.LastError("open a netlink socket");
        var handle = new FdHandle(fd);
        // both only improve error texts; kernels without them answer in the old form
        TrySetOption(handle, NetlinkLevel, ExtendedAck, 1);
        TrySetOption(handle, NetlinkLevel, CapAck, 1);
        // Dumps of routes keep to what the request asks for. Without it the kernel gives all there are, which is filtered here again.
        if (protocol == RouteProtocol)
            TrySetOption(handle, NetlinkLevel, StrictCheck, 1);
        var timeout = stackalloc long[] { AnswerSeconds, 0 };
        _ = LibC.SetSocketOption(handle, SocketLevel, ReceiveTimeout, timeout, 2 * sizeof(long));
        return new NetlinkSocket(handle);
    }

    /// <summary>Makes, changes or deletes something, or gets one thing.</summary>
    /// <returns>The messages that came before the acknowledgement.</returns>
    /// <exception cref="KernelException">The kernel refuses; carries its explanation.</exception>
    /// <exception cref="NetlinkFormatException">The answer cannot be read.</exception>
    public IReadOnlyList<NetlinkMessage> Execute(NetlinkRequest request, string operation)
    {
        lock (_gate)
            return Verdict(Exchange(request, operation), operation);
    }

    /// <summary>The number by which events name this socket as the one that asked for a change (nl_pid).</summary>
    public uint Port
    {
        get
        {
            var own = new SocketAddress { Family = AddressFamilies.Netlink };
            var size = (uint)sizeof(SocketAddress);
            lock (_gate)
            {
                if (LibC.SocketName(_fd, &own, &size) == 0 && own.Port != 0)
                    return own.Port;
                // It would get one with its first request.
                own = new SocketAddress { Family = AddressFamilies.Netlink };
                return LibC.Bind(_fd, &own, size) == 0 && LibC.SocketName(_fd, &own, &size) == 0
                    ? own.Port
                    : throw LibC.LastError("bind a netlink socket");
            }
        }
    }

    /// <summary>Gets all of something; asks again if it changed meanwhile.</summary>
    /// <param name="request">A dump.</param>
    /// <param name="operation">For errors.</param>
    /// <param name="type">Of the messages that count.</param>
    /// <param name="read">
    /// From a message's payload to what is wanted of it; null: nothing. A table may have a million entries: look at the header first.
    /// </param>
    /// <exception cref="KernelException">The kernel refuses; EINTR if the table never held still.</exception>
    public List<T> Dump<T>(NetlinkRequest request, string operation, MessageType type, Func<ReadOnlySpan<byte>, T?> read) where T : class
    {
        var found = new List<T>();
        lock (_gate)
        {
            for (var attempt = 0; attempt < DumpTries; attempt++)
            {
                found.Clear();
                var answer = Exchange(request, operation, (answered, payload) =>
                {
                    if (answered == type && read(payload) is { } one)
                        found.Add(one);
                });
                if (answer.Interrupted || answer.Error == Errno.EINTR)
                    continue;
                Verdict(answer, operation);
                return found;
            }
        }
        throw new KernelException(operation, Errno.EINTR, "the table changes faster than it can be read");
    }

    /// <summary>
    /// Whether a dump has one such message. The rest of the answer is not waited for: the socket is good for nothing else afterwards.
    /// </summary>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    public bool Any(NetlinkRequest request, string operation, MessageType type, Func<ReadOnlySpan<byte>, bool> wanted)
    {
        lock (_gate)
        {
            var found = false;
            var answer = new NetlinkAnswer(++_sequence, (answered, payload) => found |= answered == type && wanted(payload));
            Send(request.Bytes(_sequence), operation);
            while (!found && !answer.Complete)
                answer.Read(Receive(operation));
            if (!found)
                Verdict(answer, operation);
            return found;
        }
    }

    public void Dispose() => _fd.Dispose();

    private static IReadOnlyList<NetlinkMessage> Verdict(NetlinkAnswer answer, string operation) => answer.Error == 0
        ? answer.Messages
        : throw new KernelException(operation, answer.Error, answer.Explanation);

    private NetlinkAnswer Exchange(NetlinkRequest request, string operation, MessageSink? each = null)
    {
        var answer = new NetlinkAnswer(++_sequence, each);
        Send(request.Bytes(_sequence), operation);
        while (!answer.Complete)
            answer.Read(Receive(operation));
        return answer;
    }

    private void Send(ReadOnlySpan<byte> message, string operation)
    {
        fixed (byte* pointer = message)
        {
            nint sent;
            do
                sent = LibC.Send(_fd, pointer, (nuint)message.Length, 0);
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            if (sent < 0)
                throw LibC.LastError(operation);
        }
    }

    private ReadOnlySpan<byte> Receive(string operation)
    {
        fixed (byte* pointer = _buffer)
        {
            while (true)
            {
                SocketAddress sender = default;
                var size = (uint)sizeof(SocketAddress);
                var received = LibC.ReceiveFrom(_fd, pointer, (nuint)_buffer.Length, TruncatedFlag, &sender, &size);
                if (received > _buffer.Length)
                    throw new NetlinkFormatException($"a datagram of {received} bytes");
                // any process may send to this socket; only port 0 is the kernel
                if (received >= 0 && sender.Port == 0)
                    return _buffer.AsSpan(0, (int)received);
                if (received >= 0)
                    continue;
                var errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EAGAIN)
                    throw new KernelException(operation, Errno.ETIMEDOUT, $"no answer within {AnswerSeconds} s");
                if (errno != Errno.EINTR)
                    throw new KernelException(operation, errno);
            }
        }
    }

    private static void TrySetOption(FdHandle fd, int level, int option, int value) =>
        _ = LibC.SetSocketOption(fd, level, option, &value, sizeof(int));

    /// <summary>struct sockaddr_nl</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SocketAddress
    {
        public ushort Family;
        public ushort Pad;
        public uint Port;
        public uint Groups;
    }
}
