using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Tables;

/// <summary>One column of a server-side table; <paramref name="Wide"/> ones show with -o wide.</summary>
internal sealed record TableColumn(string Name, Func<JsonObject, JsonNode?> Cell, bool Wide = false, string Type = "string",
    string Format = "");

/// <summary>The columns that kubectl prints for one kind.</summary>
internal sealed record TableDefinition(IReadOnlyList<TableColumn> Columns)
{
    /// <param name="items">The rows.</param>
    /// <param name="metadata">The list's metadata, or null.</param>
    /// <param name="includeObject">"Metadata" (default), "Object" or "None".</param>
    /// <param name="withColumns">False for the later tables of a watch, which repeat no definitions.</param>
    public JsonObject Render(IEnumerable<JsonObject> items, JsonObject? metadata, string? includeObject, bool withColumns = true) => new()
    {
        ["kind"] = "Table",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata ?? [],
        ["columnDefinitions"] = withColumns ? Columns.Select(c => (JsonNode)Definition(c)).ToJsonArray() : null,
        ["rows"] = items.Select(o => (JsonNode)Row(o, includeObject)).ToJsonArray(),
    };

    private static JsonObject Definition(TableColumn column) => new()
    {
        ["name"] = column.Name,
        ["type"] = column.Type,
        ["format"] = column.Format,
        ["description"] = "",
        ["priority"] = column.Wide ? 1 : 0,
    };

    private JsonObject Row(JsonObject obj, string? includeObject) => new()
    {
        ["cells"] = new JsonArray([.. Columns.Select(c => c.Cell(obj))]),
        ["object"] = includeObject switch
        {
            "None" => null,
            "Object" => obj.DeepClone(),
            _ => PartialMetadata(obj),
        },
    };

    public static JsonObject PartialMetadata(JsonObject obj) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = obj["metadata"]?.DeepClone(),
    };

    /// <summary>An age as kubectl writes it: 5s, 3m20s, 4h5m, 3d.</summary>
    public static string Age(string? timestamp, DateTimeOffset now)
    {
        if (!DateTimeOffset.TryParse(timestamp, CultureInfo.InvariantCulture, out var since))
            return "<unknown>";
        var age = now - since;
        return age switch
        {
            { TotalSeconds: < 0 } => "0s",
            { TotalSeconds: < 120 } => $"{(int)age.TotalSeconds}s",
            { TotalMinutes: < 10 } => age.Seconds == 0 ? $"{(int)age.TotalMinutes}m" : $"{(int)age.TotalMinutes}m{age.Seconds}s",
            { TotalHours: < 3 } => $"{(int)age.TotalMinutes}m",
            { TotalHours: < 8 } => $"{(int)age.TotalHours}h{age.Minutes}m",
            { TotalHours: < 48 } => $"{(int)age.TotalHours}h",
            _ => $"{(int)age.TotalDays}d",
        };
    }
}
