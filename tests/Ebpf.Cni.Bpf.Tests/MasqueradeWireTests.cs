using System.Buffers.Binary;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Every protocol of a pod leaves the cluster with the node's address, and its answers come back to the pod.</summary>
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

    /// <summary>GRE, ESP, AH (in IPv6 an extension header), IPIP, 6in4, OSPF, VRRP.</summary>
    [Theory]
    [InlineData(false, 47), InlineData(false, 50), InlineData(false, 51), InlineData(false, 4), InlineData(false, 41)]
    [InlineData(false, 89), InlineData(false, 112)]
    [InlineData(true, 47), InlineData(true, 50), InlineData(true, 4), InlineData(true, 41)]
    [InlineData(true, 89), InlineData(true, 112)]
    public void A_protocol_that_has_no_translation_of_its_own(bool v6, byte protocol)
    {
        var request = Request(v6, protocol) with { Payload = [0, 0, 8, 0, .. Marked(20)] };
        var back = Exchange(request, heard => Answer(heard) with { Payload = [0, 0, 8, 0, .. Marked(20)] });
        Assert.Equal((Town.OutsideAddress(v6), Address.Client(v6)), (Frame.Source(back), Frame.Destination(back)));
    }

    [Theory, InlineData(false, UdpLite), InlineData(true, UdpLite), InlineData(false, Dccp), InlineData(true, Dccp)]
    public void A_checksum_over_the_addresses_stays_right(bool v6, byte protocol)
    {
        var request = Request(v6, protocol) with { Payload = Summed(protocol, Address.Client(v6), Town.OutsideAddress(v6), 4000, 4001) };
        var back = Exchange(request, heard =>
        {
            Assert.Equal(0xffffu, Sum(protocol, Transport(heard), Frame.Source(heard), Frame.Destination(heard)));
            // from and to whatever ports it arrived with
            var payload = Summed(protocol, Town.OutsideAddress(v6), Frame.Source(heard), Frame.Dport(heard), Frame.Sport(heard));
            return Answer(heard) with { Payload = payload };
        });
        Assert.Equal(0xffffu, Sum(protocol, Transport(back), Town.OutsideAddress(v6), Address.Client(v6)));
        Assert.Equal((4001, 4000), (Frame.Sport(back), Frame.Dport(back)));
    }

    /// <summary>Timestamp, address mask, and an echo whose identifier is 0; with another one as the control.</summary>
    [Theory]
    [InlineData(false, 13, 14, 7, 12), InlineData(false, 13, 14, 0, 12), InlineData(false, 17, 18, 7, 4)]
    [InlineData(false, 17, 18, 0, 4), InlineData(false, 8, 0, 0, 20), InlineData(true, 128, 129, 0, 20)]
    [InlineData(false, 8, 0, 7, 20), InlineData(true, 128, 129, 7, 20)]
    public void An_ICMP_query(bool v6, byte type, byte answer, ushort id, int body)
    {
        var protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp;
        var request = Request(v6, (byte)protocol) with { IcmpType = type, IcmpRest = (uint)id << 16 | 1, Payload = Marked(body) };
        var back = Exchange(request, heard =>
        {
            var icmp = Transport(heard);
            Assert.Equal(type, icmp[0]);
            // to whatever identifier it arrived with
            var rest = BinaryPrimitives.ReadUInt32BigEndian(icmp.AsSpan(4));
            return Answer(heard) with { IcmpType = answer, IcmpRest = rest, Payload = Marked(body) };
        });
        Assert.Equal((answer, id), (Transport(back)[0], BinaryPrimitives.ReadUInt16BigEndian(Transport(back).AsSpan(4))));
    }

    private static Packet Request(bool v6, byte protocol) =>
        new() { Src = Address.Client(v6), Dst = Town.OutsideAddress(v6), Protocol = (IpProtocol)protocol };

    private static Packet Answer(byte[] heard) =>
        new() { Src = Frame.Destination(heard), Dst = Frame.Source(heard), Protocol = Protocol(heard) };

    /// <summary>Request and answer are recognized by their last bytes, which no translation touches.</summary>
    /// <returns>The answer as the pod gets it.</returns>
    private byte[] Exchange(Packet request, Func<byte[], Packet> answer)
    {
        using var outside = new Station(_town.Outside, request.IsV6);
        using var pod = new Station(_town.Client, request.IsV6);
        pod.Send(request);
        var heard = outside.Hear(f => Ends(f, request.Payload) && Frame.Destination(f) == request.Dst);
        Assert.True(heard is not null, "nothing arrived outside; " + _town.Programs.Counts());
        Assert.Equal(Town.NodeAddress(request.IsV6), Frame.Source(heard));
        var answered = answer(heard);
        outside.Send(answered);
        var back = pod.Hear(f => Ends(f, answered.Payload) && Frame.Source(f) == request.Dst && Frame.Destination(f) == request.Src);
        Assert.True(back is not null, "no answer came to the pod; " + _town.Programs.Counts());
        return back;
    }

    private static bool Ends(byte[] frame, byte[] payload) => frame.AsSpan().EndsWith(payload.AsSpan(payload.Length - 4));

    private static byte[] Marked(int length)
    {
        var bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Transport(byte[] frame) => frame[(frame[12] == 0x86 ? 54 : 34)..];

    private static IpProtocol Protocol(byte[] frame) => (IpProtocol)frame[frame[12] == 0x86 ? 20 : 23];

    // UDP-Lite (RFC 3828) or DCCP data (RFC 4340), covered as a whole: both have ports first and their checksum at 6
    private static byte[] Summed(byte protocol, string from, string to, ushort sport, ushort dport)
    {
        byte[] header = protocol == UdpLite ? new byte[8] : [0, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 1];
        byte[] bytes = [.. header, .. Marked(20)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, sport);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), dport);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), (ushort)~Sum(protocol, bytes, from, to));
        return bytes;
    }

    // with the pseudo header
    private static uint Sum(byte protocol, byte[] bytes, string from, string to)
    {
        var addresses = Checksum.Sum([.. IPAddress.Parse(from).GetAddressBytes(), .. IPAddress.Parse(to).GetAddressBytes()]);
        return Checksum.Sum(bytes, addresses + (uint)bytes.Length + protocol);
    }
}
