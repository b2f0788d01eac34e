using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Whole IP packets, sent by the routes of a namespace and captured on its eth0.</summary>
internal sealed class Station : IDisposable
{
    private const int Patience = 2_000;

    private readonly Socket _sender;
    private readonly Socket _wire;

    public Station(NetworkNamespace where, bool v6)
    {
        using var netlink = RouteNetlink.Open(where);
        var eth = netlink.FindLink("eth0")!.Index;
        var family = v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        _sender = where.Run(() => new Socket(family, SocketType.Raw, ProtocolType.Raw));
        _wire = where.Run(() => FrameSocket.Open(eth));
        _wire.ReceiveTimeout = 100;
    }

    public void Send(Packet packet) => _sender.SendTo(packet.Bytes()[14..], new IPEndPoint(IPAddress.Parse(packet.Dst), 0));

    /// <summary>The first frame that fits; null when none comes for two seconds. Frames that leave are captured, too.</summary>
    public byte[]? Hear(Func<byte[], bool> fits)
    {
        var buffer = new byte[65536];
        for (var clock = Stopwatch.StartNew(); clock.ElapsedMilliseconds < Patience;)
        {
            try
            {
                var frame = buffer[.._wire.Receive(buffer)];
                if (frame[12] is 0x08 or 0x86 && frame[13] is 0x00 or 0xdd && fits(frame))
                    return frame;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TimedOut)
            {
                // nothing just now
            }
        }
        return null;
    }

    public void Dispose()
    {
        _sender.Dispose();
        _wire.Dispose();
    }
}
