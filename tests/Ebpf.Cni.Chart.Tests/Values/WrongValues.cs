using System.Text.Json.Nodes;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>A value that must be refused.</summary>
/// <param name="Path">Where it is set; "0" is the first item of a list.</param>
/// <param name="Value">In JSON.</param>
/// <param name="Told">What the error must say.</param>
internal sealed record WrongValue(string Path, string Value, string Told)
{
    /// <summary>Both can be set at once: none is within the other.</summary>
    public bool IsApartFrom(WrongValue other) =>
        !(Path + ".").StartsWith(other.Path + ".", StringComparison.Ordinal)
            && !(other.Path + ".").StartsWith(Path + ".", StringComparison.Ordinal);
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
        select new WrongValue(
            (place.Path + ".stranger").TrimStart('.'), "1",
            $"- {(place.Path.Length > 0 ? place.Path : "(root)")}: Additional property stranger is not allowed");

    /// <summary>Each value in one file, and as few files as do not hide one of them behind another.</summary>
    public static IReadOnlyList<(string Text, IReadOnlyList<WrongValue> Values)> Together(IEnumerable<WrongValue> values)
    {
        var files = new List<List<WrongValue>>();
        foreach (var value in values)
            if (files.FirstOrDefault(f => f.All(value.IsApartFrom)) is { } file)
                file.Add(value);
            else
                files.Add([value]);
        return [.. files.Select(f => (File(f), (IReadOnlyList<WrongValue>)f))];
    }

    /// <summary>A file of values that sets all of them.</summary>
    public static string File(IEnumerable<WrongValue> values)
    {
        var root = new JsonObject();
        foreach (var value in values)
            Set(root, value.Path.Split('.'), JsonNode.Parse(value.Value));
        return root.ToJsonString();
    }

    private static void Set(JsonObject into, ReadOnlySpan<string> path, JsonNode? value)
    {
        if (path is [var last])
        {
            into[last] = value;
        }
        else if (path is [var list, "0", ..])
        {
            if (path.Length == 2)
            {
                into[list] = new JsonArray(value);
                return;
            }

            into[list] ??= new JsonArray(new JsonObject());
            Set(into[list]![0]!.AsObject(), path[2..], value);
        }
        else
        {
            into[path[0]] ??= new JsonObject();
            Set(into[path[0]]!.AsObject(), path[1..], value);
        }
    }

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
