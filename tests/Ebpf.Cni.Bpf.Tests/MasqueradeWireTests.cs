using System.Buffers.Binary;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Whatever a pod speaks, it leaves the cluster with the node's address, and hears what answers it.</summary>
public sealed class MasqueradeWireTests : IClassFixture<MasqueradeWireTests.Place>
{
    private const byte UdpLite = 136, Dccp = 33;

    private readonly Town _town;

    public MasqueradeWireTests(Place place) => _town = place.Town;

    /// <summary>One town for all: no test changes it.</summary>
    public sealed class Place : IDisposable
    {
        internal Town Town { get; } = new(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);

        public void Dispose() => Town.Dispose();
    }

    [Theory]
    [InlineData(false, 47), InlineData(false, 50), InlineData(false, 51), InlineData(false, 4), InlineData(false, 41), InlineData(false, 89), InlineData(false, 112)]
    [InlineData(true, 47), InlineData(true, 50), InlineData(true, 4), InlineData(true, 41), InlineData(true, 89), InlineData(true, 112)]
    public void A_protocol_without_ports(bool v6, byte protocol)
    {
        var marked = Marked();
        // GRE's first bytes; any for the others
        byte[] request = [0, 0, 8, 0, .. marked], answer = [0, 0, 8, 0, .. marked, 1];
        Exchange(v6, protocol, request, answer, [protocol]);
    }

    [Theory, InlineData(false, UdpLite), InlineData(true, UdpLite), InlineData(false, Dccp), InlineData(true, Dccp)]
    public void A_protocol_with_ports_of_its_own_and_a_checksum_over_addresses(bool v6, byte protocol)
    {
        var marked = Marked();
        var request = Summed(v6, protocol, Address.Client(v6), Town.OutsideAddress(v6), 4000, 4001, marked);
        using var outside = new RawSocket(_town.Outside, v6, protocol);
        using var pod = new RawSocket(_town.Client, v6, protocol);
        pod.Send(request, Town.OutsideAddress(v6));
        var heard = outside.Hear(b => Ends(b, marked));
        Assert.True(heard is not null, "nothing arrived outside; " + _town.Programs.Counts());
        Assert.Equal(Town.NodeAddress(v6), heard.Value.Source);
        Assert.Equal(0xffffu, Sum(v6, protocol, heard.Value.Bytes, heard.Value.Source, Town.OutsideAddress(v6)));
        // from whatever ports it arrived with
        var (sport, dport) = (BinaryPrimitives.ReadUInt16BigEndian(heard.Value.Bytes), BinaryPrimitives.ReadUInt16BigEndian(heard.Value.Bytes.AsSpan(2)));
        outside.Send(Summed(v6, protocol, Town.OutsideAddress(v6), heard.Value.Source, dport, sport, marked), heard.Value.Source);
        var back = pod.Hear(b => Ends(b, marked));
        Assert.True(back is not null, "no answer came to the pod; " + _town.Programs.Counts());
        Assert.Equal(Town.OutsideAddress(v6), back.Value.Source);
        Assert.Equal(0xffffu, Sum(v6, protocol, back.Value.Bytes, Town.OutsideAddress(v6), Address.Client(v6)));
        Assert.Equal((4001, 4000), (BinaryPrimitives.ReadUInt16BigEndian(back.Value.Bytes), BinaryPrimitives.ReadUInt16BigEndian(back.Value.Bytes.AsSpan(2))));
    }

    /// <summary>Timestamp, address mask, and an echo whose identifier is 0; with another one as the control.</summary>
    [Theory]
    [InlineData(false, 13, 14, 7, 12), InlineData(false, 13, 14, 0, 12), InlineData(false, 17, 18, 7, 4)]
    [InlineData(false, 8, 0, 0, 4), InlineData(true, 128, 129, 0, 4), InlineData(false, 8, 0, 7, 4), InlineData(true, 128, 129, 7, 4)]
    public void An_ICMP_query(bool v6, byte type, byte answerType, ushort id, int body)
    {
        var protocol = v6 ? (byte)IpProtocol.IcmpV6 : (byte)IpProtocol.Icmp;
        byte[] marked = Marked(body), request = Icmp(v6, type, id, marked), answer = Icmp(v6, answerType, id, marked);
        Exchange(v6, protocol, request, answer, [type, answerType]);
    }

    // there as the node, and back; bytes may have been changed by the translation, but not their end
    private void Exchange(bool v6, byte protocol, byte[] request, byte[] answer, byte[] types)
    {
        using var outside = new RawSocket(_town.Outside, v6, protocol);
        using var pod = new RawSocket(_town.Client, v6, protocol);
        var icmp = types.Length == 2;
        pod.Send(request, Town.OutsideAddress(v6));
        var heard = outside.Hear(b => Ends(b, request[^4..]) && (!icmp || b[0] == types[0]));
        Assert.True(heard is not null, "nothing arrived outside; " + _town.Programs.Counts());
        Assert.Equal(Town.NodeAddress(v6), heard.Value.Source);
        if (icmp) // the identifier may have become another one
            BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(4), BinaryPrimitives.ReadUInt16BigEndian(heard.Value.Bytes.AsSpan(4)));
        outside.Send(icmp ? WithChecksum(v6, answer) : answer, heard.Value.Source);
        var back = pod.Hear(b => Ends(b, answer[^4..]) && (!icmp || b[0] == types[1]));
        Assert.True(back is not null, "no answer came to the pod; " + _town.Programs.Counts());
        Assert.Equal(Town.OutsideAddress(v6), back.Value.Source);
        if (icmp)
            Assert.Equal(request[4..6], back.Value.Bytes[4..6]);
    }

    private static bool Ends(byte[] bytes, byte[] with) => bytes.Length >= with.Length && bytes.AsSpan(bytes.Length - with.Length).SequenceEqual(with);

    private static byte[] Marked(int length = 20)
    {
        var bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Icmp(bool v6, byte type, ushort id, byte[] body) => WithChecksum(v6, [type, 0, 0, 0, (byte)(id >> 8), (byte)id, 0, 1, .. body]);

    // the kernel fills in ICMPv6's
    private static byte[] WithChecksum(bool v6, byte[] icmp)
    {
        icmp[2] = icmp[3] = 0;
        if (!v6)
            BinaryPrimitives.WriteUInt16BigEndian(icmp.AsSpan(2), Checksum.Of(icmp));
        return icmp;
    }

    // UDP-Lite (RFC 3828) that covers all, or a DCCP data packet (RFC 4340) that does: both have their checksum at 6
    private static byte[] Summed(bool v6, byte protocol, string from, string to, ushort sport, ushort dport, byte[] payload)
    {
        byte[] bytes = protocol == UdpLite ? [.. new byte[8], .. payload] : [0, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 1, .. payload];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, sport);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), dport);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), (ushort)~Sum(v6, protocol, bytes, from, to));
        return bytes;
    }

    private static uint Sum(bool v6, byte protocol, byte[] bytes, string from, string to)
    {
        var pseudo = Checksum.Sum(IPAddress.Parse(from).GetAddressBytes()) + Checksum.Sum(IPAddress.Parse(to).GetAddressBytes()) + (uint)bytes.Length + protocol;
        Assert.Equal(v6, from.Contains(':', StringComparison.Ordinal));
        return Checksum.Sum(bytes, pseudo);
    }
}
