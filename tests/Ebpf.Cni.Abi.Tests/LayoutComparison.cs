using System.Reflection;
using System.Runtime.CompilerServices;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>Compares C structs, as BTF tells them, with their mirrors, and collects every difference.</summary>
/// <param name="findMirror">The C# type of a name, or null.</param>
internal sealed class LayoutComparison(Btf btf, Func<string, Type?> findMirror)
{
    private readonly List<string> _problems = [];
    private readonly HashSet<Type> _seen = [];

    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Every C# type that was compared or found inside one.</summary>
    public IReadOnlySet<Type> Seen => _seen;

    public void Struct(BtfComposite c)
    {
        if (findMirror(Names.Type(c.Name)) is not { } mirror)
            _problems.Add($"struct {c.Name} has no mirror {Names.Type(c.Name)}");
        else if (_seen.Add(mirror))
            Compare(c, mirror);
    }

    private void Compare(BtfComposite c, Type mirror)
    {
        if (c.IsUnion)
            _problems.Add($"{c.Name} is a union; give each form its own struct");
        if (Mirror.Size(mirror) != c.Size)
            _problems.Add($"{c.Name} has {c.Size} bytes, {mirror.Name} has {Mirror.Size(mirror)}");
        var left = Mirror.Fields(mirror).ToDictionary(f => f.Name);
        var end = 0;
        foreach (var member in btf.Fields(c))
        {
            if (member.Offset != end)
                _problems.Add($"{c.Name} has a hole before {member.Name}: {end}..{member.Offset}");
            end = member.Offset + member.Size;
            Member(c, member, mirror, left);
        }
        if (end != c.Size)
            _problems.Add($"{c.Name} has a hidden tail: {end}..{c.Size}");
        foreach (var field in left.Values)
            _problems.Add($"{mirror.Name}.{field.Name} is nothing in {c.Name}");
    }

    private void Member(BtfComposite c, BtfField member, Type mirror, Dictionary<string, MirrorField> left)
    {
        var name = Names.Pascal(member.Name);
        if (left.Remove(name, out var field))
        {
            if (field.Offset != member.Offset || field.Size != member.Size)
                _problems.Add($"{c.Name}.{member.Name} is {member.Size} bytes at {member.Offset}, {mirror.Name}.{name} {field.Size} at "
                    + $"{field.Offset}");
            Kind($"{c.Name}.{member.Name}", member.Type, member.TypeName, field.Type);
        }
        else if (member.Type is BtfArray array)
        {
            // w[4] may be W0..W3
            for (var i = 0; i < array.Count; i++)
                Element(c, member, array, i, mirror, left);
        }
        else
        {
            _problems.Add($"{c.Name}.{member.Name} has no field {mirror.Name}.{name}");
        }
    }

    private void Element(BtfComposite c, BtfField member, BtfArray array, int i, Type mirror, Dictionary<string, MirrorField> left)
    {
        var size = btf.SizeOf(array.ElementTypeId);
        if (!left.Remove(Names.Pascal(member.Name) + i, out var field))
            _problems.Add($"{c.Name}.{member.Name}[{i}] has no field in {mirror.Name}");
        else if (field.Offset != member.Offset + (i * size) || field.Size != size)
            _problems.Add($"{c.Name}.{member.Name}[{i}] and {mirror.Name}.{field.Name} are not at the same place");
        else
            Kind($"{c.Name}.{member.Name}[{i}]", btf.Resolve(array.ElementTypeId), btf.TypeName(array.ElementTypeId), field.Type);
    }

    private void Kind(string where, BtfType type, string typeName, Type field)
    {
        switch (type)
        {
            case BtfComposite inner:
                if (findMirror(Names.Type(inner.Name)) != field)
                    _problems.Add($"{where} is a struct {inner.Name}, but {field.Name} in C#");
                Struct(inner);
                break;
            case BtfArray array when field.GetCustomAttribute<InlineArrayAttribute>() is { } inline:
                _seen.Add(field);
                if (inline.Length != array.Count)
                    _problems.Add($"{where} has {array.Count} elements, {field.Name} {inline.Length}");
                Kind(where + "[]", btf.Resolve(array.ElementTypeId), btf.TypeName(array.ElementTypeId), Mirror.ElementOf(field));
                break;
            case BtfArray array:
                // an array as one C# field: a struct of as many leaves, each the element
                _seen.Add(field);
                foreach (var leaf in Mirror.Fields(field))
                    Kind(where + "[]", btf.Resolve(array.ElementTypeId), btf.TypeName(array.ElementTypeId), leaf.Type);
                if (Mirror.Fields(field).Count != array.Count)
                    _problems.Add($"{where} has {array.Count} elements, {field.Name} {Mirror.Fields(field).Count}");
                break;
            case BtfInt number:
                _seen.Add(field);
                Number(where, number, typeName, field);
                break;
            default:
                _problems.Add($"{where} is a {typeName}: only fixed-width numbers, arrays and structs are shared");
                break;
        }
    }

    private void Number(string where, BtfInt number, string typeName, Type field)
    {
        var expected = typeName switch
        {
            "__be16" => typeof(U16Be),
            "__be32" => typeof(U32Be),
            "__u8" => typeof(byte),
            "__u16" => typeof(ushort),
            "__u32" => typeof(uint),
            "__u64" => typeof(ulong),
            _ => null,
        };
        var actual = field.IsEnum ? Enum.GetUnderlyingType(field) : field;
        if (number.Signed || expected is null)
            _problems.Add($"{where} is a {typeName}: not a type for shared structs");
        else if (actual != expected)
            _problems.Add($"{where} is a {typeName}, but {field.Name} in C#");
    }
}
