using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>A protocol without a socket of its own: what follows the IP header, sent and heard as it is.</summary>
internal sealed class RawSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly bool _v6;

    public RawSocket(NetworkNamespace where, bool v6, byte protocol)
    {
        _v6 = v6;
        _socket = where.Run(() => new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Raw, (ProtocolType)protocol)
        {
            ReceiveTimeout = 2_000,
        });
    }

    public void Send(byte[] bytes, string to) => _socket.SendTo(bytes, new IPEndPoint(IPAddress.Parse(to), 0));

    /// <summary>The first packet that fits, and its source; null when none comes.</summary>
    public (byte[] Bytes, string Source)? Hear(Func<byte[], bool> fits)
    {
        var buffer = new byte[65536];
        try
        {
            while (true)
            {
                EndPoint from = new IPEndPoint(_v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
                var length = _socket.ReceiveFrom(buffer, ref from);
                var bytes = buffer[(_v6 ? 0 : (buffer[0] & 15) * 4)..length]; // IPv4's have their header
                if (fits(bytes))
                    return (bytes, ((IPEndPoint)from).Address.ToString());
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TimedOut)
        {
            return null;
        }
    }

    public void Dispose() => _socket.Dispose();
}
