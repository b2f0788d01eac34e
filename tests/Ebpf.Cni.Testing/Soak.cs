using System.Diagnostics;
using System.Globalization;

namespace Ebpf.Cni.Testing;

/// <summary>
/// How long a random test goes on: one round in `make test`, as many as begin within EBPF_CNI_SOAK_MINUTES in `make soak`.
/// </summary>
public static class Soak
{
    public const string Variable = "EBPF_CNI_SOAK_MINUTES";

    /// <summary>A printed seed for each round; one round alone where EBPF_CNI_SEED repeats it.</summary>
    public static IEnumerable<int> Seeds()
    {
        var minutes = double.Parse(
            Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } text ? text : "0", CultureInfo.InvariantCulture);
        var clock = Stopwatch.StartNew();
        do
            yield return Seed.Next();
        while (clock.Elapsed.TotalMinutes < minutes && !Seed.IsFixed);
    }
}
