using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Bpf.Tests.Packets;

/// <summary>Packets of every kind between a few stations, so that flows repeat and answers and errors meet what they are about.</summary>
internal sealed class RandomPackets(Random random, string[] stations4, string[] stations6, ushort[] ports, Func<bool, string> service)
{
    private static readonly byte[] Hops = [0, 1, 2, 64, 64, 64, 64, 64, 255];
    private static readonly IpProtocol[] Protocols =
        [IpProtocol.Tcp, IpProtocol.Tcp, IpProtocol.Udp, IpProtocol.Udp, IpProtocol.Sctp, (IpProtocol)47];

    private readonly List<Packet> _recent = [];

    /// <summary>Sent by <paramref name="sender"/>, or by anybody.</summary>
    public Packet Next(bool v6, string? sender, MacAddr from, MacAddr to)
    {
        var packet = random.Next(10) switch
        {
            0 or 1 => Error(v6),
            2 => Echo(v6),
            3 or 4 or 5 => Recent(v6).Answer(Flags()) with { Chunk = Chunk() },
            6 or 7 => Fresh(v6) with { Dst = service(v6), Dport = ports[0] },
            _ => Fresh(v6),
        };
        if (sender is not null)
            packet = packet with { Src = sender };
        packet = packet with { SrcMac = from, DstMac = to, Ttl = Hops[random.Next(Hops.Length)],
            Padding = random.Next(6) == 0 ? random.Next(30) : 0 };
        if (v6 && random.Next(6) == 0)
            packet = packet with { Extensions = [.. Enumerable.Range(0, random.Next(4)).Select(_ => Extension())] };
        if (!v6 && random.Next(6) == 0)
            packet = packet with { Options = [.. Enumerable.Repeat((byte)1, 4 * random.Next(11))] };
        if (random.Next(8) == 0)
            packet = packet with { Payload = new byte[200], Piece = random.Next(2) == 0
                ? new Piece(0, 24 + (8 * random.Next(3)), true, (uint)random.Next(4)) : new Piece(24, 400, false, (uint)random.Next(4)) };
        return packet;
    }

    /// <summary>What became of a packet, so that errors can be about it.</summary>
    public void Remember(Packet packet)
    {
        if (_recent.Count > 200)
            _recent.RemoveAt(random.Next(_recent.Count));
        _recent.Add(packet);
    }

    private string Station(bool v6) => v6 ? stations6[random.Next(stations6.Length)] : stations4[random.Next(stations4.Length)];
    private ushort Port() => ports[random.Next(ports.Length)];
    private TcpFlags Flags() => (TcpFlags)random.Next(32);
    private SctpChunk Chunk() => (SctpChunk)random.Next(16);
    private Extension Extension() => random.Next(3) == 0
        ? new Extension(51, new byte[10]) : new Extension(random.Next(2) == 0 ? (byte)0 : (byte)60, new byte[6 + (8 * random.Next(3))]);

    private byte[] Payload()
    {
        var payload = new byte[random.Next(90)];
        random.NextBytes(payload);
        return payload;
    }

    private Packet Recent(bool v6)
    {
        var fitting = _recent.Where(p => p.IsV6 == v6).ToList();
        return fitting.Count > 0 ? fitting[random.Next(fitting.Count)] : Fresh(v6);
    }

    private Packet Fresh(bool v6) => new()
    {
        Src = Station(v6), Dst = Station(v6), Sport = Port(), Dport = Port(), Protocol = Protocols[random.Next(Protocols.Length)],
        Flags = Flags(), Chunk = Chunk(), Payload = Payload(), NoUdpChecksum = random.Next(8) == 0, NoSctpChecksum = random.Next(8) == 0,
    };

    private Packet Echo(bool v6) => new()
    {
        Src = Station(v6), Dst = Station(v6), Protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp, Payload = Payload(),
        IcmpType = v6 ? (byte)(128 + random.Next(2)) : (byte)(8 * random.Next(2)), IcmpRest = (uint)Port() << 16 | 1, Sport = 0, Dport = 0,
    };

    private Packet Error(bool v6)
    {
        var kinds = IcmpKind.All.Where(k => k.V6 == v6).ToArray();
        var about = Recent(v6);
        return kinds[random.Next(kinds.Length)].About(
            about, random.Next(2) == 0 ? about.Dst : Station(v6), random.Next(4) == 0 ? random.Next(80) : 500);
    }
}
