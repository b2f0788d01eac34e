using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>Everything that was built, found by looking: no list to forget an object in.</summary>
internal static class BpfObjects
{
    public static IReadOnlyList<string> Names => [.. Directory.GetFiles(Path.Combine(Repository.Root, "bpf"), "*.bpf.c")
        .Select(f => Path.GetFileName(f).Split('.')[0]).Order()];

    public static BpfObject Open(string name) => BpfObject.Open(Repository.BpfObject(name));

    public static TheoryData<string> All => [.. Names];

    public static Type? AbiType(string name) => typeof(MapNames).Assembly.GetType($"Ebpf.Cni.Abi.{name}");

    /// <summary>Struct types of all keys, values, records and the configuration of an object.</summary>
    public static IReadOnlyList<BtfComposite> SharedStructs(BpfObject opened)
    {
        var types = opened.Maps.Where(m => m.Name[0] != '.').SelectMany(m => new[] { m.KeyTypeId, m.ValueTypeId })
            .Where(id => id != 0).Select(opened.Btf.Resolve).OfType<BtfComposite>().ToList();
        if (opened.Maps.Any(m => m.Name == MapNames.Events))
            types.Add(opened.Btf.FindStruct("ebc_event") ?? throw new InvalidOperationException("BTF lost struct ebc_event"));
        types.AddRange(opened.Maps.Where(m => m.Name[0] != '.').SelectMany(m => opened.Btf.DataSection(".data." + m.Name)?.Variables ?? [])
            .Select(v => opened.Btf.Resolve(v.TypeId)).OfType<BtfComposite>());
        types.AddRange(opened.Btf.DataSection(".rodata")!.Variables.Select(v => opened.Btf.Resolve(v.TypeId)).OfType<BtfComposite>());
        return [.. types.DistinctBy(t => t.Name)];
    }
}
