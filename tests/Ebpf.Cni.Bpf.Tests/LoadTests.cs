using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Every program, in every configuration, through the verifier.</summary>
public sealed class LoadTests
{
    /// <summary>The kernel gives up at 1,000,000; long before that an agent takes seconds to start. The largest program has 34,000 on Linux 6.18.</summary>
    private const uint InstructionBudget = 100_000;

    private static readonly ConfigFlags All = Enum.GetValues<ConfigFlags>().Aggregate((a, b) => a | b);

    public static TheoryData<string, ConfigFlags> Everything()
    {
        var data = new TheoryData<string, ConfigFlags>();
        foreach (var name in Directory.GetFiles(Path.Combine(Repository.Root, "bpf"), "*.bpf.c").Select(f => Path.GetFileName(f).Split('.')[0]))
            foreach (var flags in Configurations())
                data.Add(name, flags);
        return data;
    }

    /// <summary>Nothing, everything, each switch alone, and all but each.</summary>
    private static IEnumerable<ConfigFlags> Configurations()
    {
        yield return ConfigFlags.None;
        yield return All;
        foreach (var flag in Enum.GetValues<ConfigFlags>().Where(f => f != ConfigFlags.None))
        {
            yield return flag;
            yield return All & ~flag;
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
            if (flags == All || program.VerifiedInstructions > InstructionBudget)
                Console.WriteLine($"figure: {programName}: {program.VerifiedInstructions} instructions verified");
            Assert.InRange(program.VerifiedInstructions, 0u, InstructionBudget);
        }
    }
}
