using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>
/// Shares equal short strings that recur in a cluster's objects: namespaces, nodes, protocols, port and service names. A direct-mapped
/// cache of fixed size: it never grows and needs no lock, a lost race or a collision costs one more string.
/// </summary>
internal static class StringPool
{
    private const int Slots = 1 << 14;
    private const int LongestPooled = 64;
    private static readonly string?[] Pool = new string?[Slots];

    /// <summary>The string at the reader's position, shared when an equal one was seen lately.</summary>
    public static string Get(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
            return reader.GetString()!;
        if (!reader.HasValueSequence)
            return Get(reader.ValueSpan);
        if (reader.ValueSequence.Length > LongestPooled)
            return reader.GetString()!;
        Span<byte> copy = stackalloc byte[LongestPooled];
        reader.ValueSequence.CopyTo(copy);
        return Get(copy[..(int)reader.ValueSequence.Length]);
    }

    private static string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
            return "";
        if (utf8.Length > LongestPooled || !Ascii.IsValid(utf8))
            return Encoding.UTF8.GetString(utf8);
        var hash = 2166136261u;
        foreach (var b in utf8)
            hash = (hash ^ b) * 16777619u;
        ref var slot = ref Pool[hash & (Slots - 1)];
        var known = Volatile.Read(ref slot);
        if (known is not null && Ascii.Equals(utf8, known))
            return known;
        var fresh = Encoding.ASCII.GetString(utf8);
        Volatile.Write(ref slot, fresh);
        return fresh;
    }
}
