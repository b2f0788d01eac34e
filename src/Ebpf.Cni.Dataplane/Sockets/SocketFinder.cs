using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Sockets;

namespace Ebpf.Cni.Dataplane.Sockets;

/// <summary>
/// By which service port a connected UDP socket was led to where it is connected. The socket's storage says so, and only a program can read
/// that without a descriptor of the socket: it is run in the socket's network namespace, looks the socket up by its two ends, and compares
/// the cookie.
/// </summary>
internal sealed class SocketFinder(BpfProgram program) : IDisposable
{
    private const int HeaderSize = 14; // of Ethernet, which a test run wants

    /// <summary>To be called on a thread that is in the socket's network namespace.</summary>
    /// <returns>0: by none, the socket has gone, or another with the same two ends hides it.</returns>
    public uint ServiceOf(SocketInfo socket)
    {
        Span<byte> input = stackalloc byte[HeaderSize + (2 * Unsafe.SizeOf<SockRevKey>())];
        input.Clear();
        MemoryMarshal.Write(input[HeaderSize..], End(socket.Cookie, socket.Remote));
        MemoryMarshal.Write(input[(HeaderSize + Unsafe.SizeOf<SockRevKey>())..], End(0, socket.Local));
        // a socket that is bound to a device is found from there only
        return socket.Interface == 0 ? program.Run(input) : program.TestRun(
            input, new SkBuffContext { Ifindex = (int)socket.Interface }).ReturnValue;
    }

    public void Dispose() => program.Dispose();

    private static SockRevKey End(ulong cookie, System.Net.IPEndPoint end) =>
        new(cookie, Addr.From(end.Address), U16Be.FromHost((ushort)end.Port));
}
