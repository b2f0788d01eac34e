using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

/// <summary>What can be known of an object without loading it, and without privilege.</summary>
public sealed class BpfFileTests
{
    [Fact]
    public void Programs_and_maps_are_as_declared()
    {
        using var file = BpfObject.Open(TestPrograms.Path("hooks"));
        Assert.Equal(["connect_allow", "connect_deny", "tc_first", "tc_second", "xdp_first"], file.ProgramNames.Order());
        Assert.Equal([".rodata", "packets", "records", "shapes"], file.Maps.Select(map => map.Name).Order());
        var shapes = file.Maps.Single(map => map.Name == "shapes");
        Assert.Equal((BpfMapType.Hash, 4, 64, 16u), (shapes.Type, shapes.KeySize, shapes.ValueSize, shapes.MaxEntries));
        var records = file.Maps.Single(map => map.Name == "records");
        Assert.Equal((BpfMapType.RingBuffer, 4096u), (records.Type, records.MaxEntries));
    }

    [Fact]
    public void A_missing_file_and_a_file_of_something_else_are_errors()
    {
        Assert.Throws<FileNotFoundException>(() => BpfObject.Open("/nonexistent/file.bpf.o"));
        Assert.Throws<KernelException>(() => BpfObject.Open("/etc/hostname"));
        Assert.Throws<KernelException>(() => BpfObject.Open(typeof(BpfFileTests).Assembly.Location));
    }

    [Fact]
    public void Struct_members_have_places_sizes_and_types()
    {
        using var file = BpfObject.Open(TestPrograms.Path("hooks"));
        var btf = file.Btf;
        var shape = Assert.IsType<BtfComposite>(btf.Resolve(file.Maps.Single(map => map.Name == "shapes").ValueTypeId));
        Assert.Equal(("test_shape", 64, false), (shape.Name, shape.Size, shape.IsUnion));
        var fields = btf.Fields(shape);
        Assert.Equal(
            ["bytes@0+16 __u8[16]", "port@16+2 __be16", "pad0@18+2 __u16", "nested@20+8 struct (anonymous)", "@32+8 union (anonymous)",
                "negative@40+8 __s64", "config@48+16 struct test_config[2]"],
            fields.Select(f => $"{f.Name}@{f.Offset}+{f.Size} {f.TypeName}"));
        var nested = Assert.IsType<BtfComposite>(fields[3].Type);
        Assert.Equal(["low", "high"], btf.Fields(nested).Select(f => f.Name));
        var union = Assert.IsType<BtfComposite>(fields[4].Type);
        Assert.True(union.IsUnion);
        Assert.Equal([0, 0], btf.Fields(union).Select(f => f.Offset));
        var array = Assert.IsType<BtfArray>(fields[6].Type);
        Assert.Equal((2, "struct test_config"), (array.Count, btf.TypeName(array.ElementTypeId)));
        Assert.True(Assert.IsType<BtfInt>(fields[5].Type).Signed);
    }

    [Fact]
    public void Enums_have_values()
    {
        using var file = BpfObject.Open(TestPrograms.Path("hooks"));
        var mode = file.Btf.FindEnum("test_mode");
        Assert.NotNull(mode);
        Assert.Equal([new("TEST_MODE_COUNT", 0), new("TEST_MODE_REPORT", 7)], mode.Values);
    }

    [Fact]
    public void Read_only_globals_have_places()
    {
        using var file = BpfObject.Open(TestPrograms.Path("hooks"));
        var globals = file.Btf.DataSection(".rodata")!.Variables;
        Assert.Equal([("config", 8), ("label", 4), ("start", 4)], globals.Select(g => (g.Name, g.Size)).Order());
        Assert.Equal(3, globals.Select(g => g.Offset).Distinct().Count());
        Assert.Equal("enum test_mode", file.Btf.TypeName(globals.Single(g => g.Name == "start").TypeId));
        Assert.Equal("struct test_config", file.Btf.TypeName(globals.Single(g => g.Name == "config").TypeId));
    }
}
