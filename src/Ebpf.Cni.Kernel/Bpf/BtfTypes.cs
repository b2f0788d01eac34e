namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>A type as the compiler recorded it. Ids count from 1; 0 is void. Offsets and sizes are bytes unless named bits.</summary>
public abstract record BtfType(uint Id, string Name);

public sealed record BtfVoid() : BtfType(0, "void");

public sealed record BtfInt(uint Id, string Name, int Size, int Bits, bool Signed) : BtfType(Id, Name);

public sealed record BtfFloat(uint Id, string Name, int Size) : BtfType(Id, Name);

public sealed record BtfPointer(uint Id, uint TargetId) : BtfType(Id, "");

public sealed record BtfArray(uint Id, uint ElementTypeId, int Count) : BtfType(Id, "");

/// <summary>A struct, or a union, whose members all start at 0.</summary>
public sealed record BtfComposite(uint Id, string Name, bool IsUnion, int Size, IReadOnlyList<BtfMember> Members) : BtfType(Id, Name);

/// <param name="Name">Empty for an anonymous struct or union.</param>
/// <param name="BitfieldSize">0 for ordinary members.</param>
public sealed record BtfMember(string Name, uint TypeId, int BitOffset, int BitfieldSize);

public sealed record BtfEnum(uint Id, string Name, int Size, bool Signed, IReadOnlyList<BtfEnumValue> Values) : BtfType(Id, Name);

public sealed record BtfEnumValue(string Name, long Value);

/// <summary>A struct or union that is only declared.</summary>
public sealed record BtfForward(uint Id, string Name, bool IsUnion) : BtfType(Id, Name);

public enum BtfModifierKind
{
    Typedef,
    Const,
    Volatile,
    Restrict,
    TypeTag,
}

/// <summary>Another name for a type, or a qualifier on it.</summary>
public sealed record BtfModifier(uint Id, string Name, BtfModifierKind Kind, uint TargetId) : BtfType(Id, Name);

public sealed record BtfFunction(uint Id, string Name, uint PrototypeId) : BtfType(Id, Name);

public sealed record BtfPrototype(uint Id, uint ReturnTypeId, IReadOnlyList<(string Name, uint TypeId)> Parameters) : BtfType(Id, "");

public sealed record BtfVariable(uint Id, string Name, uint TypeId) : BtfType(Id, Name);

/// <summary>A declaration tag on a type, a member or a parameter.</summary>
public sealed record BtfTag(uint Id, string Name, uint TargetId, int Component) : BtfType(Id, Name);

/// <summary>A section of globals: ".rodata", ".bss", ".maps".</summary>
public sealed record BtfDataSection(uint Id, string Name, int Size, IReadOnlyList<BtfGlobal> Variables) : BtfType(Id, Name);

public sealed record BtfGlobal(string Name, uint TypeId, int Offset, int Size);

/// <summary>A member with everything a layout comparison needs; <paramref name="Type"/> has no typedefs or qualifiers left.</summary>
/// <param name="TypeName">As written in C: "__be16", "struct ebc_addr", "__u8[16]".</param>
public sealed record BtfField(string Name, int Offset, int Size, string TypeName, BtfType Type);

/// <summary>The bytes are not well-formed BTF.</summary>
public sealed class BtfFormatException(string message) : Exception("malformed BTF: " + message);
