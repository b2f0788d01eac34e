using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>A message in the making: header, the family's own header, attributes. Everything lies at multiples of 4 bytes.</summary>
internal sealed class NetlinkRequest
{
    private const ushort NestedFlag = 0x8000;
    private const int AttributeHeaderSize = 4;

    private byte[] _buffer = new byte[256];
    private int _length;

    private NetlinkRequest(MessageType type, MessageFlags flags) =>
        Append(new MessageHeader { Type = type, Flags = (ushort)flags });

    public static NetlinkRequest Create<THeader>(MessageType type, MessageFlags flags, in THeader header) where THeader : unmanaged
    {
        var request = new NetlinkRequest(type, MessageFlags.Request | flags);
        request.Append(in header);
        return request;
    }

    /// <summary>The finished message; may be asked for again with another number.</summary>
    public ReadOnlySpan<byte> Bytes(uint sequence)
    {
        ref var header = ref MemoryMarshal.AsRef<MessageHeader>(_buffer.AsSpan());
        header.Length = (uint)_length;
        header.Sequence = sequence;
        return _buffer.AsSpan(0, _length);
    }

    public void Put(ushort type, ReadOnlySpan<byte> value)
    {
        var start = BeginAttribute(type);
        value.CopyTo(Reserve(value.Length));
        EndAttribute(start);
    }

    public void Put(ushort type, uint value) => Put(type, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value)));

    public void Put(ushort type, ulong value) => Put(type, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value)));

    /// <summary>A structure as the kernel's headers lay it out.</summary>
    public void PutStructure<T>(ushort type, in T value) where T : unmanaged =>
        Put(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    public void Put(ushort type, int value) => Put(type, (uint)value);

    public void Put(ushort type, IPAddress address) => Put(type, address.GetAddressBytes());

    /// <summary>Zero-terminated.</summary>
    public void Put(ushort type, string text) => Put(type, Encoding.UTF8.GetBytes(text + '\0'));

    /// <summary>A header inside an attribute.</summary>
    public void PutHeader<T>(in T header) where T : unmanaged => Append(in header);

    /// <summary>What is put before the result is disposed goes inside.</summary>
    public Nesting Nest(ushort type) => new(this, BeginAttribute((ushort)(type | NestedFlag)));

    private int BeginAttribute(ushort type)
    {
        var start = _length;
        MemoryMarshal.Write(Reserve(AttributeHeaderSize)[2..], in type);
        return start;
    }

    private void EndAttribute(int start)
    {
        // the length leaves the padding out
        var length = checked((ushort)(_length - start));
        MemoryMarshal.Write(_buffer.AsSpan(start), in length);
        Reserve(-length & 3);
    }

    private void Append<T>(in T header) where T : unmanaged => MemoryMarshal.Write(Reserve(Unsafe.SizeOf<T>()), in header);

    private Span<byte> Reserve(int count)
    {
        if (_length + count > _buffer.Length)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + count));
        var space = _buffer.AsSpan(_length, count);
        _length += count;
        return space;
    }

    public readonly ref struct Nesting(NetlinkRequest request, int start)
    {
        public void Dispose() => request.EndAttribute(start);
    }
}
