using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>The comparison finds what it exists to find.</summary>
public sealed class NegativeControlTests
{
    [Theory]
    [InlineData(nameof(WrongMirrors.SwappedFields), "ebc_svc_key.proto is 1 bytes at 18")]
    [InlineData(nameof(WrongMirrors.NativePort), "ebc_svc_key.port is a __be16, but UInt16 in C#")]
    [InlineData(nameof(WrongMirrors.MissingField), "ebc_svc_key has 20 bytes, MissingField has 19")]
    [InlineData(nameof(WrongMirrors.MissingField), "ebc_svc_key.scope has no field MissingField.Scope")]
    [InlineData(nameof(WrongMirrors.FieldTooMany), "FieldTooMany.More is nothing in ebc_svc_key")]
    [InlineData(nameof(WrongMirrors.OtherName), "ebc_svc_key.port has no field OtherName.Port")]
    [InlineData(nameof(WrongMirrors.OtherStruct), "ebc_svc_key.addr is a struct ebc_addr, but SvcKeyBytes in C#")]
    [InlineData(nameof(WrongMirrors.WiderField), "ebc_svc_key.proto is a __u8, but UInt16 in C#")]
    public void A_wrong_mirror_is_found(string mirror, string problem)
    {
        var wrong = typeof(WrongMirrors).GetNestedType(mirror, System.Reflection.BindingFlags.NonPublic);
        using var opened = BpfObjects.Open("pod");
        var comparison = new LayoutComparison(opened.Btf, name => name == "SvcKey" ? wrong : BpfObjects.AbiType(name));
        comparison.Struct(opened.Btf.FindStruct("ebc_svc_key")!);
        Assert.Contains(comparison.Problems, p => p.Contains(problem, StringComparison.Ordinal));
    }

    [Fact]
    public void A_struct_without_a_mirror_is_found()
    {
        using var opened = BpfObjects.Open("pod");
        var comparison = new LayoutComparison(opened.Btf, _ => null);
        foreach (var type in BpfObjects.SharedStructs(opened))
            comparison.Struct(type);
        Assert.Contains("struct ebc_svc_key has no mirror SvcKey", comparison.Problems);
    }

    [Fact]
    public void Holes_and_hidden_tails_in_C_are_found()
    {
        using var c = CompiledC.Object("struct ebc_holey { __u8 a; __u32 b; __u8 c; }; struct ebc_holey holey;");
        using var opened = BpfObject.Open(c.Path);
        var comparison = new LayoutComparison(opened.Btf, _ => typeof(SvcKey));
        comparison.Struct(opened.Btf.FindStruct("ebc_holey")!);
        Assert.Contains("ebc_holey has a hole before b: 1..4", comparison.Problems);
        Assert.Contains("ebc_holey has a hidden tail: 9..12", comparison.Problems);
    }

    [Fact]
    public void The_compiler_refuses_a_wrong_assertion()
    {
        Assert.Equal("", CompiledC.Errors("_Static_assert(sizeof(struct ebc_svc_key) == 20, \"right\");"));
        Assert.Contains("wrong", CompiledC.Errors("_Static_assert(sizeof(struct ebc_svc_key) == 21, \"wrong\");"),
            StringComparison.Ordinal);
    }
}
