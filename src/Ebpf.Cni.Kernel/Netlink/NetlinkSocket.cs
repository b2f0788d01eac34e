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
    private const int NetlinkLevel = 270, CapAck = 10, ExtendedAck = 11;
    private const int TruncatedFlag = 0x20;

    // the kernel answers within the system call; this only turns a lost answer into an error instead of a hang
    private const int AnswerSeconds = 10;
    private const int DumpTries = 20;

    private readonly Lock _gate = new();
    private readonly FdHandle _fd;

    // the kernel fills no more than 32 KiB at once (netlink_recvmsg), and gives a socket that is opened for one question no large object to collect
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

    /// <summary>Gets all of something; asks again if it changed meanwhile.</summary>
    /// <exception cref="KernelException">The kernel refuses; EINTR if the table never held still.</exception>
    public IReadOnlyList<NetlinkMessage> Dump(NetlinkRequest request, string operation)
    {
        lock (_gate)
        {
            for (var attempt = 0; attempt < DumpTries; attempt++)
            {
                var answer = Exchange(request, operation);
                if (!answer.Interrupted && answer.Error != Errno.EINTR)
                    return Verdict(answer, operation);
            }
        }
        throw new KernelException(operation, Errno.EINTR, "the table changes faster than it can be read");
    }

    public void Dispose() => _fd.Dispose();

    private static IReadOnlyList<NetlinkMessage> Verdict(NetlinkAnswer answer, string operation) => answer.Error == 0
        ? answer.Messages
        : throw new KernelException(operation, answer.Error, answer.Explanation);

    private NetlinkAnswer Exchange(NetlinkRequest request, string operation)
    {
        var answer = new NetlinkAnswer(++_sequence);
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
