using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary><c>struct ebc_bench</c> of bpf/test/bench.bpf.c: the packet of each repetition of a test run, and its variation.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct PacketTemplate
{
    private const int EthernetHeader = 14, V4Header = 20, V4Source = 12, V6Header = 40, V6Source = 8, AddressBytes = 16, Word = 4;

    private HeaderBytes _headers;
    private uint _length;
    public uint Program;
    public uint Flows;
    public uint Flow;
    private uint _source;
    private uint _ports;
    private uint _first;
    public uint Peer;
    public uint Vni;
    public uint Marked;

    /// <summary>Copies the beginning of a packet, and locates its source address and port.</summary>
    [UnscopedRef]
    public void Take(ReadOnlySpan<byte> packet)
    {
        var v6 = packet[EthernetHeader - 2] == 0x86;
        _length = (uint)Math.Min(packet.Length, HeaderBytes.Size);
        packet[..(int)_length].CopyTo(_headers);
        _source = (uint)(EthernetHeader + (v6 ? V6Source + AddressBytes - Word : V4Source));
        _ports = (uint)(EthernetHeader + (v6 ? V6Header : V4Header));
        _first = BinaryPrimitives.ReadUInt32BigEndian(packet[(int)_source..]);
    }

    [InlineArray(Size)]
    private struct HeaderBytes
    {
        public const int Size = 192;
        private byte _first;
    }
}
