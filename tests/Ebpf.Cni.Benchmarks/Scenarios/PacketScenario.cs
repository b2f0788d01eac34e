using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Packets;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>The cost of a packet in the tc programs alone: former and current objects in one run.</summary>
internal static class PacketScenario
{
    public const int Rounds = 240;

    private const string Bar = "≤ 0.70";

    /// <summary>Figures of Katran's balancer, by the end of a case's name. Constants: it is not run here.</summary>
    private static readonly (string Case, int Nanoseconds)[] Katran =
    [
        ("TCP, IPv4", 84), ("TCP, IPv6", 78), ("UDP, IPv4", 114), ("SYN of a new flow, IPv4", 556),
        ("65,536 known flows in turn, TCP, IPv4", 260),
    ];

    public static async Task RunAsync(Report report, int rounds)
    {
        var costs = await MeasureAsync(rounds);
        report.Add(new Table(
            "A packet in the programs alone",
            "Time in the tc programs alone, by BPF_PROG_TEST_RUN on one core, without devices and stack. The former objects "
            + "(tests/Ebpf.Cni.Benchmarks/Former) and the current ones alternate in one run. A wrapper restores the packet before "
            + "each repetition, varies its source where flows alternate, and tail-calls the program. The cost of the wrapper with an "
            + $"empty program is subtracted. Figures are the minimum of {rounds} runs of {PacketRun.Repeat:N0} packets; of an eighth "
            + "as many runs of 65,536 packets where as many flows alternate. Connections are established by their first packets. "
            + "After each run the verdict and the rewritten packet are compared with the expected ones. Routes and neighbours are "
            + "those of a network namespace. New flows: each packet has another source port and address, and the table is emptied "
            + "after each run. Katran (XDP, IPIP): constants of an earlier run with the same method, possibly on another processor. "
            + "Ratios compare across machines, nanoseconds do not.",
            ["packet", "former", "current", "current / former", "bar", "Katran"],
            [.. costs.Concat(Sums(costs)).Select(Row)], []));
    }

    private static IEnumerable<PacketCost> Sums(IReadOnlyList<PacketCost> costs)
    {
        var tunnelled = costs.Where(c => c.Name.Contains("tunnel: ", StringComparison.Ordinal)).ToList();
        yield return PacketCost.Sum("pod to remote pod, tunnel: both programs of the sending node", tunnelled[0], tunnelled[1]);
        yield return PacketCost.Sum("remote pod to pod, tunnel: both programs of the receiving node", tunnelled[2], tunnelled[3]);
    }

    private static IReadOnlyList<string> Row(PacketCost cost)
    {
        var (former, current) = ((int)cost.Former - (int)cost.Empty, (int)cost.Current - (int)cost.Empty);
        return
        [
            cost.Name, Text($"{former} ns"), Text($"{current} ns"), Text($"**{(double)current / former:0.00}**"), Bar,
            Theirs(cost.Name) is { } theirs ? Text($"{theirs} ns") : "",
        ];
    }

    /// <summary>The longest matching end decides.</summary>
    private static int? Theirs(string name) => name.StartsWith("NodePort", StringComparison.Ordinal)
        ? Katran.Where(k => name.EndsWith(k.Case, StringComparison.Ordinal)).MaxBy(k => k.Case.Length).Nanoseconds
        : null;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>In a separate process, bound to one core from its start: the runtime's threads do not inherit a later binding.</summary>
    private static async Task<IReadOnlyList<PacketCost>> MeasureAsync(int rounds)
    {
        var self = typeof(PacketScenario).Assembly.Location;
        using var process = Process.Start(new ProcessStartInfo("taskset", ["-c", "0", "dotnet", self, "packets-core", Text($"{rounds}")])
        {
            RedirectStandardOutput = true,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<List<PacketCost>>(output)!
            : throw new InvalidOperationException($"the measuring process ended with {process.ExitCode}");
    }
}
