using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>A field of a mirror, with the place where it really is.</summary>
internal sealed record MirrorField(string Name, Type Type, int Offset, int Size);

/// <summary>
/// The layout of a C# struct as the runtime made it, found by writing bytes and looking which field changed: no attribute is
/// believed.
/// </summary>
internal static class Mirror
{
    public static int Size(Type type) => (int)Generic(nameof(SizeOf), type).Invoke(null, null)!;

    public static IReadOnlyList<MirrorField> Fields(Type type)
    {
        var size = Size(type);
        var read = Generic(nameof(Read), type);
        var fields = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        var owners = new List<int>[fields.Length];
        for (var f = 0; f < fields.Length; f++)
            owners[f] = [];
        for (var at = 0; at < size; at++)
        {
            var bytes = new byte[size];
            bytes[at] = 1;
            var value = read.Invoke(null, [bytes]);
            for (var f = 0; f < fields.Length; f++)
                if (((byte[])Generic(nameof(Bytes), fields[f].FieldType).Invoke(null, [fields[f].GetValue(value)])!).AsSpan()
                    .ContainsAnyExcept((byte)0))
                    owners[f].Add(at);
        }
        return [.. fields.Select((f, i) => Place(type, f, owners[i])).OrderBy(f => f.Offset)];
    }

    /// <summary>Of an inline array.</summary>
    public static Type ElementOf(Type array) => array.GetFields(BindingFlags.Instance | BindingFlags.NonPublic).Single().FieldType;

    private static MirrorField Place(Type type, FieldInfo field, List<int> bytes)
    {
        if (bytes.Count == 0 || bytes[^1] - bytes[0] + 1 != bytes.Count)
            throw new InvalidOperationException($"{type.Name}.{field.Name} is not one run of bytes");
        return new MirrorField(PlainName(field.Name), field.FieldType, bytes[0], bytes.Count);
    }

    // "<ServiceId>k__BackingField" and "_pad0" as they are meant
    private static string PlainName(string field)
    {
        if (field.StartsWith('<'))
            return field[1..field.IndexOf('>', StringComparison.Ordinal)];
        var plain = field.TrimStart('_');
        return char.ToUpperInvariant(plain[0]) + plain[1..];
    }

    private static MethodInfo Generic(string method, Type type) =>
        typeof(Mirror).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(type);

    // not Equals: that of an inline array throws
    private static byte[] Bytes<T>(object boxed) where T : unmanaged
    {
        var value = (T)boxed;
        return MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref value)).ToArray();
    }

    private static int SizeOf<T>() => Unsafe.SizeOf<T>();

    private static T Read<T>(byte[] bytes) where T : unmanaged => MemoryMarshal.Read<T>(bytes);
}
