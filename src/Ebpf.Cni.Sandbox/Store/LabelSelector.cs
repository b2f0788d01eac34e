using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>A label selector: "a=b,c!=d,e in (f,g),h notin (i),j,!k", or the matchLabels and matchExpressions of an object.</summary>
public sealed class LabelSelector
{
    private readonly List<Requirement> _requirements = [];

    private LabelSelector()
    {
    }

    private enum Operator
    {
        In,
        NotIn,
        Exists,
        DoesNotExist,
    }

    public bool IsEmpty => _requirements.Count == 0;

    /// <exception cref="ApiException">400: not a selector.</exception>
    public static LabelSelector Parse(string? text)
    {
        var selector = new LabelSelector();
        foreach (var term in SplitTerms(text ?? ""))
            selector._requirements.Add(ParseTerm(term));
        return selector;
    }

    /// <summary>A map of labels, as a Service selects its pods.</summary>
    public static LabelSelector FromMap(JsonNode? map)
    {
        var selector = new LabelSelector();
        foreach (var (key, value) in map.Pairs())
            selector._requirements.Add(new Requirement(key, Operator.In, [value]));
        return selector;
    }

    /// <summary>A LabelSelector object, as a Deployment has.</summary>
    public static LabelSelector FromObject(JsonNode? selectorObject)
    {
        var selector = FromMap(selectorObject.At("matchLabels"));
        foreach (var expression in selectorObject.Items("matchExpressions"))
        {
            if (Enum.TryParse<Operator>(expression.Text("operator"), out var op))
                selector._requirements.Add(new Requirement(expression.Text("key") ?? "", op, [.. expression.Texts("values")]));
        }

        return selector;
    }

    public bool Matches(JsonNode? obj)
    {
        var labels = obj.At("metadata", "labels");
        return _requirements.TrueForAll(r => r.Holds(labels.Text(r.Key)));
    }

    private static Requirement ParseTerm(string term)
    {
        var (key, op, values) = term switch
        {
            _ when term.Contains("!=", StringComparison.Ordinal) => Binary(term, "!=", Operator.NotIn),
            _ when term.Contains("==", StringComparison.Ordinal) => Binary(term, "==", Operator.In),
            _ when term.Contains('=') => Binary(term, "=", Operator.In),
            _ when term.Contains(" notin", StringComparison.Ordinal) => Set(term, " notin", Operator.NotIn),
            _ when term.Contains(" in", StringComparison.Ordinal) && term.Contains('(') => Set(term, " in", Operator.In),
            _ when term.StartsWith('!') => (term[1..].Trim(), Operator.DoesNotExist, []),
            _ => (term, Operator.Exists, Array.Empty<string>()),
        };
        return key.Length > 0 && !key.Contains(' ')
            ? new Requirement(key, op, values)
            : throw ApiException.BadRequest($"unable to parse requirement: {term}");
    }

    private static (string Key, Operator Op, string[] Values) Binary(string term, string sign, Operator op)
    {
        var at = term.IndexOf(sign, StringComparison.Ordinal);
        return (term[..at].Trim(), op, [term[(at + sign.Length)..].Trim()]);
    }

    private static (string Key, Operator Op, string[] Values) Set(string term, string word, Operator op)
    {
        var at = term.IndexOf(word, StringComparison.Ordinal);
        var list = term[(at + word.Length)..].Trim();
        if (!list.StartsWith('(') || !list.EndsWith(')'))
            throw ApiException.BadRequest($"unable to parse requirement: {term}");
        return (term[..at].Trim(), op, list[1..^1].Split(',', StringSplitOptions.TrimEntries));
    }

    // Commas inside parentheses separate values, not terms.
    private static IEnumerable<string> SplitTerms(string text)
    {
        var depth = 0;
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != ',')
            {
                depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
                continue;
            }

            if (depth > 0 && i < text.Length)
                continue;
            var term = text[start..i].Trim();
            start = i + 1;
            if (term.Length > 0)
                yield return term;
        }
    }

    private sealed record Requirement(string Key, Operator Operator, string[] Values)
    {
        public bool Holds(string? label) => Operator switch
        {
            Operator.In => label is not null && Values.Contains(label),
            Operator.NotIn => label is null || !Values.Contains(label),
            Operator.Exists => label is not null,
            _ => label is null,
        };
    }
}
