using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>
/// Reading Kubernetes objects that are kept as JSON. Every reader is total: a missing member or one of another JSON type
/// reads as null (or as no items), because what arrives at an API server may have any shape.
/// </summary>
public static class JsonReading
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            if (node is not JsonObject obj || !obj.TryGetPropertyValue(step, out node))
                return null;
        }

        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.GetValueKind() == JsonValueKind.Number && TryInteger(value, out var number)
            ? number : null;

    public static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<bool>(out var flag) ? flag : null;

    public static IEnumerable<JsonObject> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonObject>() : [];

    public static IEnumerable<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.Select(item => item.Text()).OfType<string>() : [];

    /// <summary>The members of a map of strings, such as labels.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Pairs(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonObject map ? map.Select(p => KeyValuePair.Create(p.Key, p.Value.Text() ?? "")) : [];

    public static string Name(this JsonNode? node) => node.Text("metadata", "name") ?? "";

    public static string Namespace(this JsonNode? node) => node.Text("metadata", "namespace") ?? "";

    public static string Uid(this JsonNode? node) => node.Text("metadata", "uid") ?? "";

    public static bool IsTerminating(this JsonNode? node) => node.Text("metadata", "deletionTimestamp") is not null;

    /// <summary>The status of the condition of this type: "True", "False", "Unknown", or null where there is none.</summary>
    public static string? Condition(this JsonNode? node, string type) =>
        node.Items("status", "conditions").FirstOrDefault(c => c.Text("type") == type).Text("status");

    /// <summary>What a pod runs all its life: init containers that restart ("sidecars") before the others.</summary>
    public static IEnumerable<JsonObject> Containers(this JsonNode? pod) =>
        pod.Items("spec", "initContainers").Where(c => c.Text("restartPolicy") == "Always").Concat(pod.Items("spec", "containers"));

    /// <summary>The member as an object, made and inserted when it is missing.</summary>
    public static JsonObject Child(this JsonObject parent, string name)
    {
        ArgumentNullException.ThrowIfNull(parent);
        if (parent[name] is JsonObject present)
            return present;
        var made = new JsonObject();
        parent[name] = made;
        return made;
    }

    /// <summary>Sets the member where it is missing or null.</summary>
    public static void Default(this JsonObject parent, string name, JsonNode? value)
    {
        ArgumentNullException.ThrowIfNull(parent);
        if (parent[name] is null)
            parent[name] = value;
    }

    public static JsonObject Copy(this JsonObject node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return (JsonObject)node.DeepClone();
    }

    public static JsonArray ToJsonArray(this IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode?)JsonValue.Create(t))]);

    public static JsonArray ToJsonArray(this IEnumerable<JsonNode> nodes) => new([.. nodes]);

    private static bool TryInteger(JsonValue value, out long number)
    {
        if (value.TryGetValue(out number))
            return true;
        if (value.TryGetValue<int>(out var small))
        {
            number = small;
            return true;
        }

        return false;
    }
}
