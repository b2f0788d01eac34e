using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>A field selector: "metadata.name=a,status.phase!=Running". Any path to a text, number or flag may be named.</summary>
public sealed class FieldSelector
{
    private readonly List<(string[] Path, string Value, bool Equal)> _terms = [];

    private FieldSelector()
    {
    }

    /// <exception cref="ApiException">400: not a selector.</exception>
    public static FieldSelector Parse(string? text)
    {
        var selector = new FieldSelector();
        foreach (var term in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var differs = term.IndexOf("!=", StringComparison.Ordinal);
            var at = differs >= 0 ? differs : term.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0)
                throw ApiException.BadRequest($"invalid field selector: {term}");
            selector._terms.Add((term[..at].Split('.'), term[(at + (differs >= 0 ? 2 : 1))..].TrimStart('='), differs < 0));
        }

        return selector;
    }

    public bool Matches(JsonNode? obj) => _terms.TrueForAll(t => (Read(obj.At(t.Path)) == t.Value) == t.Equal);

    // A missing field selects as the empty text, so spec.nodeName= finds the pods without a node.
    private static string Read(JsonNode? node) => node is JsonValue value ? value.Text() ?? value.ToJsonString() : "";
}
