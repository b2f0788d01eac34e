using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Every program, in every configuration, through the verifier.</summary>
public sealed class LoadTests
{
    /// <summary>The kernel gives up at 1,000,000; long before that an agent takes seconds to start.</summary>
    private const uint InstructionBudget = 120_000;

    /// <summary>Programs that use two tables of connections, for the moment in which one replaces the other.</summary>
    private const uint ResizingBudget = 250_000;

    private const ConfigFlags Resizing = ConfigFlags.ResizeTcp | ConfigFlags.ResizeAny;

    private static readonly ConfigFlags All = Enum.GetValues<ConfigFlags>().Aggregate((a, b) => a | b) & ~Resizing;

    public static TheoryData<string, ConfigFlags> Everything()
    {
        var data = new TheoryData<string, ConfigFlags>();
        foreach (var name in Directory.GetFiles(Path.Combine(Repository.Root, "bpf"), "*.bpf.c")
            .Select(f => Path.GetFileName(f).Split('.')[0]))
            foreach (var flags in Configurations())
                data.Add(name, flags);
        return data;
    }

    /// <summary>Nothing, everything, each switch alone, and all but each.</summary>
    private static IEnumerable<ConfigFlags> Configurations()
    {
        yield return ConfigFlags.None;
        yield return All;
        yield return All | Resizing;
        yield return All & ~ConfigFlags.Chained;
        yield return (All & ~ConfigFlags.Chained) | Resizing;
        foreach (var flag in Enum.GetValues<ConfigFlags>().Where(f => f != ConfigFlags.None && (f & (Resizing | ConfigFlags.Chained)) == 0))
        {
            yield return flag;
            yield return All & ~flag;
            yield return All & ~ConfigFlags.Chained & ~flag;
        }
    }

    [Theory, MemberData(nameof(Everything))]
    public void The_verifier_accepts_it(string name, ConfigFlags flags)
    {
        Requires.Root();
        using var loaded = BpfObject.Open(Repository.BpfObject(name));
        loaded.SetReadOnlyGlobal(MapNames.Config, new Config(flags));
        loaded.Load();
        Assert.NotEmpty(loaded.ProgramNames);
        foreach (var programName in loaded.ProgramNames)
        {
            using var program = loaded.GetProgram(programName);
            var budget = (flags & Resizing) == 0 ? InstructionBudget : ResizingBudget;
            if (flags == (All & ~ConfigFlags.Chained) || program.VerifiedInstructions > budget)
                Console.WriteLine($"figure: {programName}: {program.VerifiedInstructions} instructions verified");
            Assert.InRange(program.VerifiedInstructions, 0u, budget);
        }
    }
}
