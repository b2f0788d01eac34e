using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>
/// A SYN flood from one thread. Each SYN has another source address and port, in a range for benchmarks (RFC 2544) that no host has:
/// answers are not answered.
/// </summary>
internal static class SynFlood
{
    private const string Sources = "198.18.0.0";
    private const int Ports = 32768, FirstPort = 1024;
    private const int Ip = 14, IpSum = Ip + 10, SourceLow = Ip + 14, Tcp = Ip + 20, TcpSum = Tcp + 16;

    /// <summary>From <paramref name="from"/>'s eth0 to the node's.</summary>
    /// <returns>The number of packets sent within the time.</returns>
    public static int Send(NetworkNamespace from, NetworkNamespace node, IPEndPoint target, int count, TimeSpan longest) => from.Run(() =>
    {
        using var here = RouteNetlink.Open();
        using var there = RouteNetlink.Open(node);
        var device = here.FindLink("eth0")!;
        using var socket = FrameSocket.Open(device.Index);
        socket.ReceiveBufferSize = 0; // never read
        var frame = new Packet
        {
            SrcMac = MacAddr.FromBytes(device.Mac),
            DstMac = MacAddr.FromBytes(there.FindLink("eth0")!.Mac),
            Src = Sources,
            Dst = target.Address.ToString(),
            Sport = 0,
            Dport = (ushort)target.Port,
            Payload = [],
        }.Bytes();
        var (ipSum, tcpSum) = (Word(frame, IpSum), Word(frame, TcpSum));
        var (i, started) = (0, Stopwatch.GetTimestamp());
        for (; i < count && Stopwatch.GetElapsedTime(started) < longest; i++)
        {
            var (port, low) = ((ushort)(FirstPort + i % Ports), (ushort)(1 + i / Ports));
            Put(frame, Tcp, port);
            Put(frame, SourceLow, low);
            Put(frame, IpSum, Plus(ipSum, low));
            Put(frame, TcpSum, Plus(tcpSum, (uint)port + low));
            socket.Send(frame);
        }
        return i;
    });

    private static ushort Word(byte[] frame, int at) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(at));

    private static void Put(byte[] frame, int at, ushort word) => BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at), word);

    /// <summary>Updates a checksum (RFC 1624) for words that were 0 and now have this sum.</summary>
    private static ushort Plus(ushort sum, uint words)
    {
        var all = (ushort)~sum + words;
        all = (all & 0xffff) + (all >> 16);
        all = (all & 0xffff) + (all >> 16);
        return (ushort)~all;
    }
}
