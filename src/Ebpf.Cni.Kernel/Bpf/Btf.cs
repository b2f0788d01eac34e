namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// The types of an object (BPF Type Format; kernel: Documentation/bpf/btf.rst), read completely at once. Total: any
/// bytes give types or a <see cref="BtfFormatException"/>.
/// </summary>
public sealed class Btf
{
    // types may refer to each other in rings only through pointers; anything deeper than this is hostile
    private const int DeepestNesting = 64;

    private readonly List<BtfType> _types;

    private Btf(List<BtfType> types) => _types = types;

    /// <summary>All types, in id order from 0 (void).</summary>
    public IReadOnlyList<BtfType> Types => _types;

    /// <exception cref="BtfFormatException">No such type.</exception>
    public BtfType this[uint id] => id < _types.Count ? _types[(int)id] : throw new BtfFormatException($"there is no type {id}");

    /// <exception cref="BtfFormatException">The bytes are not BTF, or not of this machine's byte order.</exception>
    public static Btf Parse(ReadOnlySpan<byte> data) => new(BtfReader.ReadTypes(data));

    /// <summary>A named struct or union; null if there is none.</summary>
    public BtfComposite? FindStruct(string name) => _types.OfType<BtfComposite>().FirstOrDefault(t => t.Name == name);

    /// <summary>A named enum; null if there is none.</summary>
    public BtfEnum? FindEnum(string name) => _types.OfType<BtfEnum>().FirstOrDefault(t => t.Name == name);

    /// <summary>A section of globals by its name (".rodata"); null if there is none.</summary>
    public BtfDataSection? DataSection(string name) => _types.OfType<BtfDataSection>().FirstOrDefault(t => t.Name == name);

    /// <summary>The type below typedefs and qualifiers.</summary>
    public BtfType Resolve(uint id)
    {
        var type = this[id];
        for (var depth = 0; depth < DeepestNesting; depth++)
        {
            switch (type)
            {
                case BtfModifier modifier:
                    type = this[modifier.TargetId];
                    break;
                case BtfVariable variable:
                    type = this[variable.TypeId];
                    break;
                default:
                    return type;
            }
        }
        throw new BtfFormatException($"type {id} refers to itself");
    }

    /// <summary>Bytes of a value of this type.</summary>
    public int SizeOf(uint id) => SizeOf(id, 0);

    /// <summary>
    /// The members of a struct or union with their places, types and sizes. Bit-fields have the size of what they are declared as.
    /// </summary>
    public IReadOnlyList<BtfField> Fields(BtfComposite type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return [.. type.Members.Select(
            m => new BtfField(m.Name, m.BitOffset / 8, SizeOf(m.TypeId), TypeName(m.TypeId), Resolve(m.TypeId)))];
    }

    /// <summary>A type as one would write it in C, without qualifiers.</summary>
    public string TypeName(uint id) => TypeName(id, 0);

    private int SizeOf(uint id, int depth)
    {
        if (depth > DeepestNesting)
            throw new BtfFormatException($"type {id} is nested too deeply");
        return Resolve(id) switch
        {
            BtfInt type => type.Size,
            BtfFloat type => type.Size,
            BtfEnum type => type.Size,
            BtfComposite type => type.Size,
            BtfDataSection type => type.Size,
            BtfPointer => sizeof(ulong), // the BPF machine's, whatever the host's
            BtfArray array => CheckedSize(id, (long)array.Count * SizeOf(array.ElementTypeId, depth + 1)),
            var other => throw new BtfFormatException($"{other.GetType().Name} {other.Name} (type {id}) has no size"),
        };
    }

    private static int CheckedSize(uint id, long size) =>
        size <= int.MaxValue ? (int)size : throw new BtfFormatException($"type {id} is too large");

    private string TypeName(uint id, int depth)
    {
        if (depth > DeepestNesting)
            throw new BtfFormatException($"type {id} is nested too deeply");
        return this[id] switch
        {
            BtfModifier { Kind: BtfModifierKind.Typedef } type => type.Name,
            BtfModifier type => TypeName(type.TargetId, depth + 1),
            BtfVariable type => TypeName(type.TypeId, depth + 1),
            BtfComposite type => $"{(type.IsUnion ? "union" : "struct")} {NameOrAnonymous(type)}",
            BtfForward type => $"{(type.IsUnion ? "union" : "struct")} {type.Name}",
            BtfEnum type => $"enum {NameOrAnonymous(type)}",
            BtfPointer type => TypeName(type.TargetId, depth + 1) + " *",
            BtfArray type => $"{TypeName(type.ElementTypeId, depth + 1)}[{type.Count}]",
            BtfPrototype => "function",
            var type => type.Name,
        };
    }

    private static string NameOrAnonymous(BtfType type) => type.Name.Length > 0 ? type.Name : "(anonymous)";
}
