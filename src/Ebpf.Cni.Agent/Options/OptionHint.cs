using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Ebpf.Cni.Agent.Options;

/// <summary>
/// Says how a setting is set. The parts below the agent name a setting ("the uplinks option") and know neither switches nor charts.
/// </summary>
public static partial class OptionHint
{
    private static readonly ImmutableDictionary<string, OptionDefinition> ByName = OptionTable.All.ToImmutableDictionary(o => o.Name);

    /// <param name="message">A message that may name settings.</param>
    /// <returns>" [--uplinks; in the chart agent.uplinks]", for each setting; "" where the message names none.</returns>
    public static string Of(string message) => string.Concat(
        MentionPattern().Matches(message).Select(m => m.Groups["name"].Value).Distinct()
            .Where(ByName.ContainsKey).Select(name => Text(ByName[name])));

    private static string Text(OptionDefinition option) =>
        option.ChartValue.Length > 0 ? $" [{option.Switch}; in the chart {option.ChartValue}]" : $" [{option.Switch}]";

    [GeneratedRegex("(?<![a-z0-9-])(?<name>[a-z0-9]+(?:-[a-z0-9]+)*) option\\b", RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex MentionPattern();
}
