using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>
/// The proof that both halves mean the same bytes. It starts from the maps of the built objects, so a struct that nobody thought of
/// is found, not forgotten. Needs no privilege: the objects are opened, not loaded.
/// </summary>
public sealed class LayoutTests
{
    public static TheoryData<string> Objects => BpfObjects.All;

    [Theory, MemberData(nameof(Objects))]
    public void Every_shared_struct_is_its_mirror(string name)
    {
        using var opened = BpfObjects.Open(name);
        var comparison = new LayoutComparison(opened.Btf, BpfObjects.AbiType);
        foreach (var type in BpfObjects.SharedStructs(opened))
            comparison.Struct(type);
        Assert.Empty(comparison.Problems);
        Assert.NotEmpty(comparison.Seen);
    }

    [Theory, MemberData(nameof(Objects))]
    public void Every_map_says_its_types(string name)
    {
        using var opened = BpfObjects.Open(name);
        foreach (var map in opened.Maps.Where(m => m.Name[0] != '.' && m.Type != BpfMapType.RingBuffer))
        {
            if (opened.Btf.DataSection(".data." + map.Name) is { } global)
            {
                Assert.Equal(map.ValueSize, Assert.Single(global.Variables).Size);
                continue;
            }
            Assert.True(map.KeyTypeId != 0 && map.ValueTypeId != 0, $"{map.Name} has sizes but no types");
            Assert.Equal(map.KeySize, opened.Btf.SizeOf(map.KeyTypeId));
            Assert.Equal(map.ValueSize, opened.Btf.SizeOf(map.ValueTypeId));
            Assert.True(
                opened.Btf.Resolve(map.KeyTypeId) is BtfComposite || opened.Btf.TypeName(map.KeyTypeId) == "__u32",
                $"{map.Name}: the key is neither a struct nor an index");
        }
    }

    [Fact]
    public void Every_map_has_its_name_in_MapNames_and_the_other_way_round()
    {
        var declared = new SortedSet<string>();
        foreach (var name in BpfObjects.Names)
        {
            using var opened = BpfObjects.Open(name);
            declared.UnionWith(opened.Maps.Select(m => m.Name).Where(m => m[0] != '.'));
        }
        var named = typeof(MapNames).GetFields().Where(f => f.IsLiteral && f.Name != nameof(MapNames.Config))
            .Select(f => (string)f.GetRawConstantValue()!);
        Assert.Equal(declared, new SortedSet<string>(named));
        Assert.All(declared, name => Assert.Matches("^ebc_[a-z_]+_v[0-9]+$", name));
        Assert.All(declared, name => Assert.InRange(name.Length, 1, 15));
    }

    [Fact]
    public void Objects_that_share_a_map_declare_it_alike()
    {
        var first = new Dictionary<string, BpfMapSpec>();
        foreach (var name in BpfObjects.Names)
        {
            using var opened = BpfObjects.Open(name);
            foreach (var map in opened.Maps.Where(m => m.Name[0] != '.'))
            {
                var plain = map with { KeyTypeId = 0, ValueTypeId = 0 };
                if (!first.TryAdd(map.Name, plain))
                    Assert.Equal(first[map.Name], plain);
            }
        }
    }

    [Theory, MemberData(nameof(Objects))]
    public void The_only_read_only_global_is_the_configuration(string name)
    {
        using var opened = BpfObjects.Open(name);
        var global = Assert.Single(opened.Btf.DataSection(".rodata")!.Variables);
        Assert.Equal(MapNames.Config, global.Name);
        Assert.Equal(Mirror.Size(typeof(Config)), global.Size);
        Assert.Null(opened.Btf.DataSection(".data"));
        Assert.Null(opened.Btf.DataSection(".bss"));
    }

    [Fact]
    public void Every_struct_of_the_Abi_is_used()
    {
        var used = new HashSet<Type>();
        foreach (var name in BpfObjects.Names)
        {
            using var opened = BpfObjects.Open(name);
            var comparison = new LayoutComparison(opened.Btf, BpfObjects.AbiType);
            foreach (var type in BpfObjects.SharedStructs(opened))
                comparison.Struct(type);
            used.UnionWith(comparison.Seen);
        }
        var declared = typeof(MapNames).Assembly.GetTypes().Where(t => t is { IsValueType: true, IsEnum: false, IsPublic: true });
        Assert.Empty(declared.Where(t => !used.Contains(t)).Select(t => t.Name));
    }

    [Fact]
    public void There_is_a_counter_for_every_reason_at_every_hook()
    {
        Assert.Equal(Metric.HookCount, Enum.GetValues<Hook>().Length);
        Assert.Equal(Metric.ReasonCount, Enum.GetValues<Reason>().Length);
        Assert.InRange(Metric.HookCount, 1, CpuMetrics.HookSlots);
        Assert.InRange(Metric.ReasonCount, 1, CpuMetrics.ReasonSlots);
        Assert.InRange(Enum.GetValues<Ration>().Length, 1, CpuBuckets.Count);
    }
}
