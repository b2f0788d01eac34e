using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Every program, in every configuration, through the verifier.</summary>
public sealed class LoadTests
{
    public static TheoryData<string, ConfigFlags> Everything()
    {
        var all = Enum.GetValues<ConfigFlags>().Aggregate((a, b) => a | b);
        var data = new TheoryData<string, ConfigFlags>();
        foreach (var name in Directory.GetFiles(Path.Combine(Repository.Root, "bpf"), "*.bpf.c").Select(f => Path.GetFileName(f).Split('.')[0]))
            for (var flags = ConfigFlags.None; flags <= all; flags++)
                data.Add(name, flags);
        return data;
    }

    [Theory, MemberData(nameof(Everything))]
    public void The_verifier_accepts_it(string name, ConfigFlags flags)
    {
        Requires.Root();
        using var loaded = BpfObject.Open(Repository.BpfObject(name));
        loaded.SetReadOnlyGlobal(MapNames.Config, new Config(flags));
        loaded.Load();
        Assert.NotEmpty(loaded.ProgramNames);
        foreach (var program in loaded.ProgramNames)
            loaded.GetProgram(program).Dispose();
    }
}
