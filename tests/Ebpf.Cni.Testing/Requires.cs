using System.Globalization;
using Xunit;

namespace Ebpf.Cni.Testing;

/// <summary>Skips a test, with a reason, where the machine cannot run it. CI treats a skip as a failure.</summary>
public static class Requires
{
    /// <summary>Loading BPF programs, network namespaces and mounts.</summary>
    public static void Root() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root (BPF, network namespaces)");

    /// <summary>A program on PATH.</summary>
    public static void Tool(string name) => Assert.SkipUnless(HasTool(name), $"needs the program '{name}' on PATH");

    public static bool HasTool(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, name)));
}

/// <summary>Seeds of property tests: random unless EBPF_CNI_SEED names one; always printed, so a failure can be repeated.</summary>
public static class Seed
{
    private const string Variable = "EBPF_CNI_SEED";

    /// <summary>A run is repeated.</summary>
    public static bool IsFixed => Environment.GetEnvironmentVariable(Variable) is not null;

    public static int Next()
    {
        var fixedSeed = Environment.GetEnvironmentVariable(Variable);
        var seed = fixedSeed is null ? Random.Shared.Next() : int.Parse(fixedSeed, CultureInfo.InvariantCulture);
        Console.WriteLine($"seed {seed} (repeat with EBPF_CNI_SEED={seed})");
        return seed;
    }
}
