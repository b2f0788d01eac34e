using System.Globalization;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>The result for people: one line a scenario, on the console and in build/NAME.txt.</summary>
internal static class ScenarioTable
{
    public static string Line(Row row, AddressBook addresses)
    {
        var (scenario, service) = (row.Scenario, row.Scenario.Service);
        var ranges = service.Ranges == SourceRanges.None ? "" : $" only={Low(service.Ranges)}";
        var label = service.OtherProxy ? " other-proxy" : "";
        return $"{row.Id} {Low(scenario.Client),-9} -> {Low(scenario.Address),-16} {Low(scenario.Transport),-9} {Low(service.Family)} "
            + $"int={Low(service.Internal),-7} ext={Low(service.External),-7} "
            + $"[{service.Endpoints}]{ranges}{label} | {row.Expected} | {row.Observed.Describe(scenario, addresses)} | "
                + $"{(row.Problem is null ? "ok" : "WRONG: " + row.Problem)}";
    }

    public static void Publish(string name, Mode mode, IReadOnlyList<Row> rows, AddressBook addresses, TimeSpan took)
    {
        var lines = rows.Select(r => Line(r, addresses)).ToList();
        foreach (var line in lines)
            Console.WriteLine("scenario: " + line);
        var served = rows.Count(r => r.Expected is Verdict.Served);
        var refused = rows.Count(r => r.Expected is Verdict.Refused);
        var dropped = rows.Count(r => r.Expected is Verdict.Dropped);
        var health = rows.Count(r => r.Expected is Verdict.Health);
        var asked = rows.Sum(r => r.Observed.Answers.Values.Sum() + r.Observed.Failures.Values.Sum());
        var wrong = rows.Count(r => r.Problem is not null);
        var summary = string.Create(CultureInfo.InvariantCulture,
            $"{name}: {rows.Count} scenarios with --socket-lb {Low(mode)} ({served} served, {refused} refused, {dropped} dropped, {health} "
                + $"health checks; {asked} questions, {took.TotalSeconds:0} s), {wrong} not as kube-proxy's rules say");
        Console.WriteLine("figure: " + summary);
        var directory = Directory.CreateDirectory(Path.Combine(Repository.Root, "build"));
        File.WriteAllLines(Path.Combine(directory.FullName, $"{name}.txt"),
            [summary, .. lines, "", "Expected other than kube-proxy does:", .. Differences.All.Select(Text)]);
    }

    private static string Text(Difference d) => $"- {d.Name}. kube-proxy: {d.KubeProxy} Here: {d.Here} Why: {d.Reason}";

    private static string Low<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
