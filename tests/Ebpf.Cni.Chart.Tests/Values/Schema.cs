using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>One place in values.schema.json.</summary>
/// <param name="Path">As helm names it: agent.mtu, tolerations.0.key.</param>
/// <param name="Node">What may be there.</param>
internal sealed record SchemaPlace(string Path, JsonObject Node)
{
    public string? Type => (string?)Node["type"];

    public IReadOnlyList<string>? Choices => Node["enum"]?.AsArray().Select(v => v!.ToString()).ToList();

    public long? Minimum => (long?)Node["minimum"];

    public long? Maximum => (long?)Node["maximum"];

    /// <summary>Whether the text is one of the choices, matches the pattern and is no longer than it may be.</summary>
    public bool Takes(string text) =>
        Choices?.Contains(text) != false
        && (Node["pattern"] is null || Regex.IsMatch(text, (string)Node["pattern"]!))
        && text.Length >= ((int?)Node["minLength"] ?? 0) && text.Length <= ((int?)Node["maxLength"] ?? int.MaxValue);
}

/// <summary>values.schema.json.</summary>
internal static class Schema
{
    public static readonly JsonObject Root = JsonNode.Parse(File.ReadAllText(Path.Combine(Helm.Chart, "values.schema.json")))!.AsObject();

    /// <summary>Every place, from the root on.</summary>
    public static IReadOnlyList<SchemaPlace> Places { get; } = [.. Walk(new SchemaPlace("", Root))];

    public static SchemaPlace Agent(string jsonName) => Places.Single(p => p.Path == "agent." + jsonName);

    /// <summary>The object that has it must have it.</summary>
    public static bool IsRequired(string path)
    {
        var above = path.Contains('.') ? path[..path.LastIndexOf('.')] : "";
        return Places.Single(p => p.Path == above).Node["required"]?.AsArray()
            .Any(n => (string?)n == path[(path.LastIndexOf('.') + 1)..]) == true;
    }

    private static IEnumerable<SchemaPlace> Walk(SchemaPlace place)
    {
        yield return place;
        var below = place.Path.Length == 0 ? "" : place.Path + ".";
        foreach (var (name, child) in place.Node["properties"]?.AsObject() ?? [])
            foreach (var found in Walk(new SchemaPlace(below + name, child!.AsObject())))
                yield return found;
        if (place.Node["items"] is JsonObject item)
            foreach (var found in Walk(new SchemaPlace(below + "0", item)))
                yield return found;
        if (place.Node["additionalProperties"] is JsonObject any)
            foreach (var found in Walk(new SchemaPlace(below + "any", any)))
                yield return found;
    }
}
