using System.Globalization;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary>A 48-bit link-layer address (<c>__u8 mac[6]</c>), in wire order.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MacAddr(byte B0, byte B1, byte B2, byte B3, byte B4, byte B5)
{
    /// <exception cref="ArgumentException">Not six bytes.</exception>
    public static MacAddr FromBytes(ReadOnlySpan<byte> b) => b.Length == 6
        ? new MacAddr(b[0], b[1], b[2], b[3], b[4], b[5])
        : throw new ArgumentException("a MAC address has 6 bytes", nameof(b));

    /// <summary>From text as <c>aa:bb:cc:dd:ee:ff</c>.</summary>
    /// <exception cref="FormatException">Not a MAC address.</exception>
    public static MacAddr Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var mac) ? mac : throw new FormatException($"'{text}' is not a MAC address");
    }

    public static bool TryParse(string? text, out MacAddr mac)
    {
        mac = default;
        var parts = text?.Split(':') ?? [];
        if (parts.Length != 6)
            return false;
        Span<byte> bytes = stackalloc byte[6];
        for (var i = 0; i < 6; i++)
            if (!byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
                return false;
        mac = FromBytes(bytes);
        return true;
    }

    public byte[] ToBytes() => [B0, B1, B2, B3, B4, B5];

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{B0:x2}:{B1:x2}:{B2:x2}:{B3:x2}:{B4:x2}:{B5:x2}");
}
