using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>One line of the result.</summary>
/// <param name="Problem">Null: as expected.</param>
internal sealed record Row(string Id, Scenario Scenario, Verdict Expected, Observation Observed, string? Problem);

/// <summary>Compares what was seen with what the model says. Pure.</summary>
internal static class Judge
{
    public static Row Compare(string id, Scenario scenario, Verdict expected, Observation observed, AddressBook addresses)
    {
        var problem = expected switch
        {
            Verdict.Served served => Served(scenario, served, observed, addresses),
            Verdict.Refused => Only(observed, Observation.Refused),
            Verdict.Dropped => Only(observed, Observation.Silence),
            Verdict.Health health => observed.Failures.Count == 0
            && observed.Answers.Keys.All(a => Observation.TryReadHealth(a, out var seen) && seen == health)
                ? Answered(observed) : "another answer",
            _ => "no such verdict",
        };
        return new Row(id, scenario, expected, observed, problem);
    }

    private static string? Served(Scenario scenario, Verdict.Served expected, Observation observed, AddressBook addresses)
    {
        if (observed.Failures.Count > 0)
            return "not always answered";
        foreach (var text in observed.Answers.Keys)
        {
            if (!Observation.TryReadAnswer(text, out var answer))
                return $"strange answer \"{text}\"";
            if (!expected.By.TryGetValue(answer.Backend, out var sources))
                return $"served by {answer.Backend}";
            if (!addresses.Is(answer.Source, sources, scenario))
                return $"{answer.Backend} sees {addresses.Describe(answer.Source, scenario)}";
            if (answer.Port != (answer.Backend.Site() == Site.A ? ServicePlace.TargetPortOnA : ServicePlace.TargetPortOnB))
                return $"at port {answer.Port}";
        }
        var met = observed.Answers.Keys.Select(a => Observation.TryReadAnswer(a, out var answer) ? answer.Backend : default).ToHashSet();
        return expected.By.Keys.Where(b => !met.Contains(b)).Select(b => $"never served by {b}").FirstOrDefault();
    }

    private static string? Answered(Observation observed) => observed.Answers.Count == 0 ? "no probe" : null;

    private static string? Only(Observation observed, string failure) =>
        observed.Answers.Count > 0 ? "answered"
        : observed.Failures.Count == 0 ? "no probe"
        : observed.Failures.Keys.Any(f => f != failure) ? $"not {failure}" : null;
}
