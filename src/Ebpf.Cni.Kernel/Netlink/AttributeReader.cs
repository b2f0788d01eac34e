using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Walks attributes; a length that does not fit is a <see cref="NetlinkFormatException"/>.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> bytes)
{
    private const int HeaderSize = 4;
    private const ushort TypeMask = 0x3fff; // without "nested" and "network byte order"

    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>The family's header at the start of a message, and the attributes behind it.</summary>
    public static AttributeReader AfterHeader<THeader>(ReadOnlySpan<byte> payload, out THeader header) where THeader : unmanaged
    {
        var size = Unsafe.SizeOf<THeader>();
        if (payload.Length < size)
            throw new NetlinkFormatException($"{payload.Length} bytes are less than a {typeof(THeader).Name}");
        header = MemoryMarshal.Read<THeader>(payload);
        return new AttributeReader(payload[size..]);
    }

    public bool Next(out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (_rest.IsEmpty)
            return false;
        if (_rest.Length < HeaderSize)
            throw new NetlinkFormatException($"{_rest.Length} bytes are left where an attribute should be");
        var length = MemoryMarshal.Read<ushort>(_rest);
        if (length < HeaderSize || length > _rest.Length)
            throw new NetlinkFormatException($"an attribute claims {length} of {_rest.Length} bytes");
        type = (ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & TypeMask);
        value = _rest[HeaderSize..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }

    public static uint UInt32(ReadOnlySpan<byte> value) => value.Length == sizeof(uint)
        ? MemoryMarshal.Read<uint>(value)
        : throw new NetlinkFormatException($"a number has {value.Length} bytes");

    public static int Int32(ReadOnlySpan<byte> value) => (int)UInt32(value);

    /// <summary>Up to the first zero.</summary>
    public static string Text(ReadOnlySpan<byte> value)
    {
        var end = value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? value : value[..end]);
    }

    public static IPAddress Address(ReadOnlySpan<byte> value, byte family) => value.Length == AddressFamilies.Size(family)
        ? new IPAddress(value)
        : throw new NetlinkFormatException($"an address of family {family} has {value.Length} bytes");
}
