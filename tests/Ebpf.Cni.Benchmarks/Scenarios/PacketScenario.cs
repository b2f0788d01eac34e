using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Packets;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>What a packet costs in the programs alone: the former ones and the current ones in one run.</summary>
internal static class PacketScenario
{
    public const int Rounds = 240;

    private const string Bar = "≤ 0.70";

    /// <summary>Of Katran's balancer: what a case's name ends in, nanoseconds. Constants: it is not run here.</summary>
    private static readonly (string Case, int Nanoseconds)[] Katran =
        [("TCP, IPv4", 84), ("TCP, IPv6", 78), ("UDP, IPv4", 114), ("SYN of a new flow, IPv4", 556), ("65,536 known flows in turn, TCP, IPv4", 260)];

    public static async Task RunAsync(Report report, int rounds)
    {
        var costs = await MeasureAsync(rounds);
        report.Add(new Table(
            "A packet in the programs alone",
            $"Nanoseconds in the tc programs by BPF_PROG_TEST_RUN on one core, without devices and stack: the former objects (tests/Ebpf.Cni.Benchmarks/Former) and the current ones take turns. A wrapper restores the packet "
            + $"before each repetition, varies its source where flows take turns, and tail-calls the program; the same with an empty program is subtracted. {PacketRun.Repeat:N0} repetitions a run (65,536, and an eighth of the runs, "
            + $"where as many flows take turns), the least of {rounds} runs. The routes and neighbours are real, in a network namespace; each connection was made by its first packets, and after each run the verdict and the rewritten packet are compared with "
            + "what they must be. New flows: each repetition another source port and address, the table emptied after each run. Katran: constants of its balancer (XDP, IPIP), which an earlier run measured the same way, on another processor perhaps: the ratio is what compares.",
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

    /// <summary>The longest ending counts.</summary>
    private static int? Theirs(string name) => name.StartsWith("NodePort", StringComparison.Ordinal)
        ? Katran.Where(k => name.EndsWith(k.Case, StringComparison.Ordinal)).MaxBy(k => k.Case.Length).Nanoseconds
        : null;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>In a process of its own, which is bound to one core from its start.</summary>
    private static async Task<IReadOnlyList<PacketCost>> MeasureAsync(int rounds)
    {
        using var process = Process.Start(new ProcessStartInfo(
            "taskset", ["-c", "0", "dotnet", typeof(PacketScenario).Assembly.Location, "packets-core", rounds.ToString(CultureInfo.InvariantCulture)])
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
