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
            for (var flags = ConfigFlags.None; flags <= All; flags++)
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
        foreach (var programName in loaded.ProgramNames)
        {
            using var program = loaded.GetProgram(programName);
            Assert.InRange(program.VerifiedInstructions, 0u, InstructionBudget);
            if (flags == All)
                Console.WriteLine($"figure: {programName}: {program.VerifiedInstructions} instructions verified");
        }
    }
}
