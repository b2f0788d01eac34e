using System.Text.Json.Nodes;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>A value that must be refused.</summary>
/// <param name="Path">Where it is set; "0" is the first item of a list.</param>
/// <param name="Value">In JSON.</param>
/// <param name="Told">What the error must say.</param>
internal sealed record WrongValue(string Path, string Value, string Told)
{
    /// <summary>A file of values that sets it.</summary>
    public string File => Path.Split('.').Reverse().Aggregate(JsonNode.Parse(Value), (value, key) => key == "0" ? new JsonArray(value) : new JsonObject([new(key, value)]))!
        .ToJsonString();
}

/// <summary>From the schema: for every place, what must not be there.</summary>
internal static class WrongValues
{
    private static readonly string[] Texts = ["no such thing!", "/", "", new string('a', 300)];

    public static IEnumerable<WrongValue> Of(SchemaPlace place) =>
        from value in OfType(place) select new WrongValue(place.Path, value, place.Path);

    /// <summary>A member that nobody knows, in every object that lists what it may have.</summary>
    public static IEnumerable<WrongValue> Strangers() =>
        from place in Schema.Places
        where place.Node["properties"] is not null
        select new WrongValue((place.Path + ".stranger").TrimStart('.'), "1", "Additional property stranger is not allowed");

    private static IEnumerable<string> OfType(SchemaPlace place)
    {
        if (place.Path.Length == 0)
            yield break;
        switch (place.Type)
        {
            case "string":
                yield return "{}";
                yield return "17";
                if (Texts.FirstOrDefault(t => !place.Takes(t)) is { } text)
                    yield return JsonValue.Create(text).ToJsonString();
                break;
            case "integer":
                yield return "\"many\"";
                yield return "1.5";
                yield return ((place.Minimum ?? place.Maximum ?? 0) - 1).ToString();
                yield return ((place.Maximum ?? int.MaxValue) + 1).ToString();
                break;
            case "boolean":
                yield return "\"perhaps\"";
                yield return "1";
                break;
            case "object" or "array":
                yield return "\"text\"";
                break;
            default: // one of several
                yield return "{}";
                yield return "\"no such thing!\"";
                break;
        }
    }
}
