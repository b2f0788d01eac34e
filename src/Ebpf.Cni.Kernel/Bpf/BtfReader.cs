using System.Runtime.InteropServices;
using System.Text;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>Reads the types one after the other; each access is checked against the section's end.</summary>
internal ref struct BtfReader
{
    private const ushort Magic = 0xeb9f;
    private const int HeaderSize = 24;

    private readonly ReadOnlySpan<byte> _strings;
    private ReadOnlySpan<byte> _rest;

    private BtfReader(ReadOnlySpan<byte> types, ReadOnlySpan<byte> strings)
    {
        _rest = types;
        _strings = strings;
    }

    public static List<BtfType> ReadTypes(ReadOnlySpan<byte> data)
    {
        var reader = Open(data);
        var types = new List<BtfType> { new BtfVoid() };
        while (!reader._rest.IsEmpty)
            types.Add(reader.ReadType((uint)types.Count));
        return NameGlobals(types);
    }

    private static BtfReader Open(ReadOnlySpan<byte> data)
    {
        if (data.Length < HeaderSize)
            throw new BtfFormatException($"{data.Length} bytes are less than a header");
        var magic = MemoryMarshal.Read<ushort>(data);
        if (magic != Magic)
            throw new BtfFormatException($"it starts with 0x{magic:x4}");
        var words = MemoryMarshal.Cast<byte, uint>(data[4..HeaderSize]);
        var (header, typeOffset, typeLength, stringOffset, stringLength) = (words[0], words[1], words[2], words[3], words[4]);
        return new BtfReader(
            Section(data, (ulong)header + typeOffset, typeLength, "types"),
            Section(data, (ulong)header + stringOffset, stringLength, "strings"));
    }

    private static ReadOnlySpan<byte> Section(ReadOnlySpan<byte> data, ulong offset, uint length, string name) =>
        offset + length <= (ulong)data.Length
            ? data.Slice((int)offset, (int)length)
            : throw new BtfFormatException($"the {name} end behind the data");

    private BtfType ReadType(uint id)
    {
        var name = Text(Word());
        var info = Word();
        var count = (int)(info & 0xffff);
        var flag = info >> 31 != 0;
        var sizeOrType = Word();
        return (BtfKind)((info >> 24) & 0x1f) switch
        {
            BtfKind.Int => ReadInt(id, name, Size(sizeOrType)),
            BtfKind.Pointer => new BtfPointer(id, sizeOrType),
            BtfKind.Array => ReadArray(id),
            BtfKind.Struct => new BtfComposite(id, name, false, Size(sizeOrType), ReadMembers(count, flag)),
            BtfKind.Union => new BtfComposite(id, name, true, Size(sizeOrType), ReadMembers(count, flag)),
            BtfKind.Enum => new BtfEnum(id, name, Size(sizeOrType), flag, ReadEnumValues(count, flag, wide: false)),
            BtfKind.Enum64 => new BtfEnum(id, name, Size(sizeOrType), flag, ReadEnumValues(count, flag, wide: true)),
            BtfKind.Forward => new BtfForward(id, name, flag),
            BtfKind.Typedef => new BtfModifier(id, name, BtfModifierKind.Typedef, sizeOrType),
            BtfKind.Volatile => new BtfModifier(id, name, BtfModifierKind.Volatile, sizeOrType),
            BtfKind.Const => new BtfModifier(id, name, BtfModifierKind.Const, sizeOrType),
            BtfKind.Restrict => new BtfModifier(id, name, BtfModifierKind.Restrict, sizeOrType),
            BtfKind.TypeTag => new BtfModifier(id, name, BtfModifierKind.TypeTag, sizeOrType),
            BtfKind.Function => new BtfFunction(id, name, sizeOrType),
            BtfKind.Prototype => new BtfPrototype(id, sizeOrType, ReadParameters(count)),
            BtfKind.Variable => ReadVariable(id, name, sizeOrType),
            BtfKind.DataSection => new BtfDataSection(id, name, Size(sizeOrType), ReadGlobals(count)),
            BtfKind.Float => new BtfFloat(id, name, Size(sizeOrType)),
            BtfKind.DeclarationTag => new BtfTag(id, name, sizeOrType, (int)Word()),
            var kind => throw new BtfFormatException($"type {id} is of the unknown kind {(int)kind}"),
        };
    }

    private BtfInt ReadInt(uint id, string name, int size)
    {
        var encoding = Word();
        return new BtfInt(id, name, size, (int)(encoding & 0xff), ((encoding >> 24) & 1) != 0);
    }

    private BtfArray ReadArray(uint id)
    {
        var element = Word();
        _ = Word(); // the index's type says nothing about the layout
        return new BtfArray(id, element, Size(Word()));
    }

    private BtfVariable ReadVariable(uint id, string name, uint type)
    {
        _ = Word(); // linkage
        return new BtfVariable(id, name, type);
    }

    private List<BtfMember> ReadMembers(int count, bool withBitfields)
    {
        var members = new List<BtfMember>();
        for (var i = 0; i < count; i++)
        {
            var (name, type, offset) = (Text(Word()), Word(), Word());
            members.Add(withBitfields
                ? new BtfMember(name, type, (int)(offset & 0xffffff), (int)(offset >> 24))
                : new BtfMember(name, type, Size(offset), 0));
        }
        return members;
    }

    private List<BtfEnumValue> ReadEnumValues(int count, bool signed, bool wide)
    {
        var values = new List<BtfEnumValue>();
        for (var i = 0; i < count; i++)
        {
            var name = Text(Word());
            var low = Word();
            if (wide)
                values.Add(new BtfEnumValue(name, (long)(((ulong)Word() << 32) | low)));
            else
                values.Add(new BtfEnumValue(name, signed ? (int)low : low));
        }
        return values;
    }

    private List<(string Name, uint TypeId)> ReadParameters(int count)
    {
        var parameters = new List<(string, uint)>();
        for (var i = 0; i < count; i++)
            parameters.Add((Text(Word()), Word()));
        return parameters;
    }

    private List<BtfGlobal> ReadGlobals(int count)
    {
        var globals = new List<BtfGlobal>();
        for (var i = 0; i < count; i++)
            globals.Add(new BtfGlobal("", Word(), Size(Word()), Size(Word())));
        return globals;
    }

    // a section names its variables by type id, and may come before them
    private static List<BtfType> NameGlobals(List<BtfType> types)
    {
        for (var i = 0; i < types.Count; i++)
        {
            if (types[i] is not BtfDataSection section)
                continue;
            types[i] = section with { Variables = [.. section.Variables.Select(Named)] };
        }
        return types;

        BtfGlobal Named(BtfGlobal global) => global.TypeId < types.Count
            ? global with { Name = types[(int)global.TypeId].Name }
            : throw new BtfFormatException($"a global has the type {global.TypeId}, which does not exist");
    }

    private uint Word()
    {
        if (_rest.Length < sizeof(uint))
            throw new BtfFormatException("the types end within a type");
        var word = MemoryMarshal.Read<uint>(_rest);
        _rest = _rest[sizeof(uint)..];
        return word;
    }

    private readonly string Text(uint offset)
    {
        if (offset >= (uint)_strings.Length && offset != 0)
            throw new BtfFormatException($"a name is at {offset}, behind the strings");
        var text = offset < (uint)_strings.Length ? _strings[(int)offset..] : [];
        var end = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }

    private static int Size(uint value) => value <= int.MaxValue ? (int)value : throw new BtfFormatException($"{value} is no size");

    private enum BtfKind
    {
        Int = 1,
        Pointer = 2,
        Array = 3,
        Struct = 4,
        Union = 5,
        Enum = 6,
        Forward = 7,
        Typedef = 8,
        Volatile = 9,
        Const = 10,
        Restrict = 11,
        Function = 12,
        Prototype = 13,
        Variable = 14,
        DataSection = 15,
        Float = 16,
        DeclarationTag = 17,
        TypeTag = 18,
        Enum64 = 19,
    }
}
