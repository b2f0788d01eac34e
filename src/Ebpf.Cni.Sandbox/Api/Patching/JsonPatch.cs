using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Patching;

/// <summary>
/// JSON patch, RFC 6902: add, remove, replace, test, copy and move, one after the other. Not by
/// Microsoft.AspNetCore.JsonPatch.SystemTextJson: that accepts operations with a missing or unknown `op`, paths without a leading slash,
/// and indices with leading zeros.
/// </summary>
public static class JsonPatch
{
    /// <exception cref="ApiException">422 for an operation that cannot be done, 400 for one that is not an operation.</exception>
    public static JsonObject Apply(JsonObject target, JsonArray operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        foreach (var operation in operations)
        {
            var path = Segments(operation.Text("path") ?? throw ApiException.BadRequest("a patch operation without a path"));
            switch (operation.Text("op"))
            {
                case "add":
                    Set(target, path, operation.At("value")?.DeepClone(), insert: true);
                    break;
                case "replace":
                    Set(target, path, operation.At("value")?.DeepClone(), insert: false);
                    break;
                case "remove":
                    Remove(target, path);
                    break;
                case "test":
                    if (!JsonNode.DeepEquals(Find(target, path), operation.At("value")))
                        throw Failed($"test of {operation.Text("path")} failed");
                    break;
                case "copy" or "move":
                    var from = Segments(operation.Text("from") ?? "");
                    var value = Find(target, from)?.DeepClone();
                    if (operation.Text("op") == "move")
                        Remove(target, from);
                    Set(target, path, value, insert: true);
                    break;
                default:
                    throw ApiException.BadRequest($"unknown patch operation: {operation.Text("op")}");
            }
        }

        return target;
    }

    // RFC 6901
    private static string[] Segments(string pointer) => pointer switch
    {
        "" => [],
        ['/', .. var path] => [.. path.Split('/').Select(Unescape)],
        _ => throw ApiException.BadRequest($"a path begins with a slash: {pointer}"),
    };

    private static string Unescape(string segment) =>
        segment.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);

    private static JsonNode? Find(JsonNode? node, ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            node = node switch
            {
                JsonObject obj => obj.TryGetPropertyValue(step, out var member) ? member : throw Failed($"no member {step}"),
                JsonArray array => array[Index(array, step, array.Count - 1)],
                _ => throw Failed($"no member {step}"),
            };
        }

        return node;
    }

    private static void Set(JsonNode target, string[] path, JsonNode? value, bool insert)
    {
        if (path.Length == 0)
            throw Failed("the whole object cannot be replaced");
        switch (Find(target, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject obj:
                if (!insert && !obj.ContainsKey(path[^1]))
                    throw Failed($"no member {path[^1]}");
                obj[path[^1]] = value;
                break;
            case JsonArray array when insert:
                array.Insert(path[^1] == "-" ? array.Count : Index(array, path[^1], array.Count), value);
                break;
            case JsonArray array:
                array[Index(array, path[^1], array.Count - 1)] = value;
                break;
            default:
                throw Failed($"no parent of {path[^1]}");
        }
    }

    private static void Remove(JsonNode target, string[] path)
    {
        if (path.Length == 0)
            throw Failed("the whole object cannot be removed");
        switch (Find(target, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject obj when obj.Remove(path[^1]):
                break;
            case JsonArray array:
                array.RemoveAt(Index(array, path[^1], array.Count - 1));
                break;
            default:
                throw Failed($"no member {path[^1]}");
        }
    }

    private static int Index(JsonArray array, string step, int highest) =>
        int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= highest
            && (step is "0" || step[0] != '0')
            ? index
            : throw Failed($"no item {step} in a list of {array.Count}");

    private static ApiException Failed(string message) => new(422, "Invalid", "the patch cannot be applied: " + message);
}
