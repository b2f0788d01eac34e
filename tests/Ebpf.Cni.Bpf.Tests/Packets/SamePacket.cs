using System.Text;

namespace Ebpf.Cni.Bpf.Tests.Packets;

internal static class SamePacket
{
    /// <summary>Byte for byte; a failure shows both in hex with the first difference.</summary>
    public static void Equal(Packet expected, byte[] actual)
    {
        var bytes = expected.Bytes();
        if (bytes.AsSpan().SequenceEqual(actual))
            return;
        var at = bytes.AsSpan().CommonPrefixLength(actual);
        Assert.Fail($"packets differ from byte {at} on\nexpected {expected}\n{Dump(bytes)}\nactual\n{Dump(actual)}");
    }

    public static string Dump(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        for (var i = 0; i < bytes.Length; i += 16)
            text.Append($"  {i:x4}  ")
                .AppendLine(string.Join(" ", bytes[i..Math.Min(bytes.Length, i + 16)].ToArray().Select(b => $"{b:x2}")));
        return text.ToString();
    }
}
