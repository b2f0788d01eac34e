using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>What a probe met: answers and failures by text, each with its count.</summary>
internal sealed record Observation(IReadOnlyDictionary<string, int> Answers, IReadOnlyDictionary<string, int> Failures)
{
    public const string Refused = "refused", Silence = "silence";

    public static Observation Parse(JsonNode? node) => new(
        node?["answers"].Deserialize<Dictionary<string, int>>() ?? [], node?["failures"].Deserialize<Dictionary<string, int>>() ?? []);

    /// <summary>"a1:8080 10.244.1.5" taken apart; false for any other text.</summary>
    public static bool TryReadAnswer(string text, out (Backend Backend, int Port, IPAddress Source) answer)
    {
        answer = default;
        if (text.Split(' ') is not [var server, var source] || server.Split(':') is not [var name, var port]
            || !IPAddress.TryParse(source, out var address))
            return false;
        if (!Enum.TryParse<Backend>(name, ignoreCase: true, out var backend) || !int.TryParse(port, out var number))
            return false;
        answer = (backend, number, address);
        return true;
    }

    /// <summary>"503 {...}" of a health check taken apart.</summary>
    public static bool TryReadHealth(string text, out Verdict.Health health)
    {
        health = new Verdict.Health(0, 0);
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !int.TryParse(text[..space], out var status))
            return false;
        try
        {
            health = new Verdict.Health(status, (int?)JsonNode.Parse(text[space..])?["localEndpoints"] ?? -1);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    public string Describe(Scenario scenario, AddressBook addresses)
    {
        var answers =
            from pair in Answers
            let text = TryReadAnswer(pair.Key, out var answer)
                ? (Who: $"{answer.Backend.ToString().ToLowerInvariant()} sees {addresses.Describe(answer.Source, scenario)}", pair.Value)
                : TryReadHealth(pair.Key, out var health) ? (Who: health.ToString(), pair.Value) : (Who: pair.Key, pair.Value)
            orderby text.Who
            select $"{text.Who} ×{text.Value}";
        return string.Join("; ", answers.Concat(Failures.Select(f => $"{f.Key} ×{f.Value}")));
    }
}
