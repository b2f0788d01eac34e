using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Patching;
using Ebpf.Cni.Sandbox.Store;
using Google.Protobuf.Reflection;

namespace Ebpf.Cni.Sandbox.Api.Schema;

/// <summary>
/// OpenAPI version 3 of one group of kinds, as far as kubectl reads it: the fields for `explain`, their merge keys for the patches of
/// `apply`, and whether
/// PATCH takes fieldValidation (then the server validates, not kubectl).
/// </summary>
internal static class OpenApiDocument
{
    private const string References = "#/components/schemas/";

    private static JsonObject Info { get; } = new() { ["title"] = "ebpf-cni sandbox", ["version"] = "v1.32.0" };

    public static JsonObject Of(string group, string version)
    {
        var types = ResourceTypes.All.Where(t => t.Group == group && t.Version == version).ToList();
        var paths = new JsonObject();
        foreach (var type in types)
            paths[PathOf(type)] = Operations(type);
        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = Info.DeepClone(),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = Schemas(types) },
        };
    }

    /// <summary>The former version of OpenAPI, which kubectl asks for where it knows no better. It has nothing.</summary>
    public static JsonObject EmptyVersion2() => new()
    {
        ["swagger"] = "2.0",
        ["info"] = Info.DeepClone(),
        ["paths"] = new JsonObject(),
        ["definitions"] = new JsonObject(),
    };

    private static string PathOf(ResourceType type)
    {
        var root = type.Group.Length == 0 ? $"/api/{type.Version}" : $"/apis/{type.Group}/{type.Version}";
        return type.Namespaced ? $"{root}/namespaces/{{namespace}}/{type.Plural}/{{name}}" : $"{root}/{type.Plural}/{{name}}";
    }

    private static JsonObject Operations(ResourceType type) => new()
    {
        ["patch"] = new JsonObject
        {
            ["operationId"] = "patch" + type.Kind,
            ["parameters"] = new JsonArray(
                new JsonObject { ["name"] = "fieldValidation", ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" } }),
            ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
            ["x-kubernetes-action"] = "patch",
            ["x-kubernetes-group-version-kind"] = Kind(type),
        },
    };

    private static JsonObject Kind(ResourceType type) => new() { ["group"] = type.Group, ["kind"] = type.Kind, ["version"] = type.Version };

    private static JsonObject Schemas(IReadOnlyList<ResourceType> types)
    {
        var schemas = new JsonObject();
        foreach (var type in types)
        {
            if (KindSchema.Find(type) is not { } message)
                continue;
            Add(schemas, message);
            var schema = (JsonObject)schemas[message.FullName]!;
            schema["x-kubernetes-group-version-kind"] = new JsonArray(Kind(type));
            var properties = schema.Child("properties");
            properties["apiVersion"] = Text("The group and version of the kind.");
            properties["kind"] = Text("The kind of the object.");
        }

        return schemas;
    }

    private static void Add(JsonObject schemas, MessageDescriptor message)
    {
        if (schemas.ContainsKey(message.FullName) || Scalar(message) is not null)
            return;
        var properties = new JsonObject();
        schemas[message.FullName] = new JsonObject { ["type"] = "object", ["description"] = Comment(message), ["properties"] = properties };
        AddFields(schemas, properties, message);
    }

    private static void AddFields(JsonObject schemas, JsonObject properties, MessageDescriptor message)
    {
        foreach (var field in message.Fields.InDeclarationOrder())
        {
            if (KindSchema.IsInline(field))
                AddFields(schemas, properties, field.MessageType);
            else
                properties[field.Name] = Property(schemas, field);
        }
    }

    private static JsonObject Property(JsonObject schemas, FieldDescriptor field)
    {
        JsonObject property;
        if (field.IsMap)
        {
            var values = Item(schemas, field.MessageType.FindFieldByName("value"));
            property = new JsonObject { ["type"] = "object", ["additionalProperties"] = values };
        }
        else if (field.IsRepeated)
        {
            property = new JsonObject { ["type"] = "array", ["items"] = Item(schemas, field) };
            if (StrategicMergePatch.MergeKey(field.Name, field.FieldType == FieldType.Message ? field.MessageType.Name : "") is { } key)
                (property["x-kubernetes-patch-merge-key"], property["x-kubernetes-patch-strategy"]) = (key, "merge");
        }
        else
        {
            property = Item(schemas, field);
            if (property.ContainsKey("$ref"))
                property = new JsonObject { ["allOf"] = new JsonArray(property) };
        }

        if (Comment(field) is { Length: > 0 } comment)
            property["description"] = comment;
        return property;
    }

    private static JsonObject Item(JsonObject schemas, FieldDescriptor field)
    {
        if (field.FieldType != FieldType.Message)
            return field.FieldType switch
            {
                FieldType.Bool => new JsonObject { ["type"] = "boolean" },
                FieldType.Int32 => new JsonObject { ["type"] = "integer", ["format"] = "int32" },
                FieldType.Int64 => new JsonObject { ["type"] = "integer", ["format"] = "int64" },
                FieldType.Bytes => new JsonObject { ["type"] = "string", ["format"] = "byte" },
                _ => new JsonObject { ["type"] = "string" },
            };
        if (Scalar(field.MessageType) is { } scalar)
            return scalar;
        Add(schemas, field.MessageType);
        return new JsonObject { ["$ref"] = References + field.MessageType.FullName };
    }

    // Messages that are one value in JSON.
    private static JsonObject? Scalar(MessageDescriptor message) => message.FullName switch
    {
        KindSchema.Meta + "Time" => new JsonObject { ["type"] = "string", ["format"] = "date-time" },
        KindSchema.Meta + "IntOrString" => new JsonObject { ["type"] = "string", ["format"] = "int-or-string" },
        KindSchema.Meta + "Quantity" => new JsonObject { ["type"] = "string" },
        _ => null,
    };

    private static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };

    private static string Comment(DescriptorBase descriptor)
    {
        const StringSplitOptions trimmed = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;
        return string.Join(' ', (descriptor.Declaration?.LeadingComments ?? "").Split('\n', trimmed));
    }
}
