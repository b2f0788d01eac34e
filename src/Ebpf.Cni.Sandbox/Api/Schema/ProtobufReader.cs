using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Ebpf.Cni.Sandbox.Api.Schema;

/// <summary>
/// Reads the API's protobuf, which kubectl 1.32 and later send to create objects, as the JSON that it stands for. Answers need no protobuf:
/// clients that
/// send it accept JSON as well.
/// </summary>
internal static class ProtobufReader
{
    public const string MediaType = "application/vnd.kubernetes.protobuf";

    private static ReadOnlySpan<byte> Magic => "k8s\0"u8;

    /// <exception cref="ApiException">400: not protobuf, of a kind that is not served, or with a field that the sandbox does not know;
    /// names it.</exception>
    public static JsonObject Read(byte[] body)
    {
        if (!body.AsSpan().StartsWith(Magic))
            throw ApiException.BadRequest("the body is announced as protobuf and does not begin as the API's protobuf does");
        try
        {
            var envelope = Message(new CodedInputStream(body, Magic.Length, body.Length - Magic.Length), KindSchema.Envelope);
            var (version, kind) = (envelope.Text("typeMeta", "apiVersion") ?? "", envelope.Text("typeMeta", "kind") ?? "");
            var type = kind == "DeleteOptions" ? KindSchema.DeleteOptions
                : ResourceTypes.FindKind(version, kind) is { } served ? KindSchema.Find(served) : null;
            if (type is null)
                throw ApiException.BadRequest($"no kind \"{kind}\" is registered for version \"{version}\"");
            var json = Message(new CodedInputStream(Convert.FromBase64String(envelope.Text("raw") ?? "")), type);
            (json["apiVersion"], json["kind"]) = (version, kind);
            return json;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or ArgumentOutOfRangeException) // a time beyond all years
        {
            throw ApiException.BadRequest("the body is no valid protobuf: " + e.Message);
        }
    }

    private static JsonObject Message(CodedInputStream input, MessageDescriptor type)
    {
        var json = new JsonObject();
        while (input.ReadTag() is not 0 and var tag)
        {
            if (type.FindFieldByNumber(WireFormat.GetTagFieldNumber(tag)) is { } field)
                Member(input, field, json);
            else
                Skip(input, tag, type);
        }

        return json;
    }

    private static void Member(CodedInputStream input, FieldDescriptor field, JsonObject json)
    {
        if (field.IsMap)
        {
            var entry = Message(new CodedInputStream(input.ReadBytes().ToByteArray()), field.MessageType);
            var value = entry["value"]?.DeepClone() ?? EmptyOf(field.MessageType.FindFieldByName("value"));
            json.Child(field.Name)[entry.Text("key") ?? ""] = value;
        }
        else if (field.IsRepeated)
        {
            if (json[field.Name] is not JsonArray items)
                json[field.Name] = items = [];
            items.Add(Value(input, field));
        }
        else if (KindSchema.IsInline(field) && Value(input, field) is JsonObject inner)
        {
            foreach (var (name, member) in inner)
                json[name] = member?.DeepClone();
        }
        else if (Value(input, field) is { } single && (field.HasPresence || !IsZero(single)))
        {
            json[field.Name] = single;
        }
    }

    private static JsonNode? Value(CodedInputStream input, FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => input.ReadString(),
        FieldType.Bytes => Convert.ToBase64String(input.ReadBytes().Span),
        FieldType.Bool => input.ReadBool(),
        FieldType.Int32 => (long)input.ReadInt32(),
        FieldType.Int64 => input.ReadInt64(),
        FieldType.Message => Special(Message(new CodedInputStream(input.ReadBytes().ToByteArray()), field.MessageType), field.MessageType),
        _ => throw new InvalidOperationException($"the schema uses {field.FieldType}, which is not read"),
    };

    // Types that are one value in JSON.
    private static JsonNode? Special(JsonObject message, MessageDescriptor type) => type.FullName switch
    {
        KindSchema.Meta + "Time" when message.Count == 0 => null,
        KindSchema.Meta + "Time" => ObjectStore.Timestamp(DateTimeOffset.FromUnixTimeSeconds(message.Number("seconds") ?? 0)),
        KindSchema.Meta + "Quantity" => message.Text("string") ?? "0",
        KindSchema.Meta + "IntOrString" when message.Number("type") == 1 => message.Text("strVal") ?? "",
        KindSchema.Meta + "IntOrString" => message.Number("intVal") ?? 0,
        _ => message,
    };

    private static JsonNode EmptyOf(FieldDescriptor field) =>
        field.FieldType is FieldType.String or FieldType.Bytes ? "" : Special([], field.MessageType) ?? new JsonObject();

    // The API's writers spell out what is empty and not a pointer; in JSON that is left out.
    private static bool IsZero(JsonNode value) =>
        value is JsonValue scalar && (scalar.Text() is { Length: 0 } || scalar.Number() == 0 || scalar.Flag() == false);

    // For the same reason a field that is not known matters only where it says something.
    private static void Skip(CodedInputStream input, uint tag, MessageDescriptor type)
    {
        var empty = WireFormat.GetTagWireType(tag) switch
        {
            WireFormat.WireType.Varint => input.ReadUInt64() == 0,
            WireFormat.WireType.LengthDelimited => input.ReadBytes().IsEmpty,
            WireFormat.WireType.Fixed32 => input.ReadFixed32() == 0,
            WireFormat.WireType.Fixed64 => input.ReadFixed64() == 0,
            _ => throw InvalidEncoding(),
        };
        var number = WireFormat.GetTagFieldNumber(tag).ToString(CultureInfo.InvariantCulture);
        if (!empty)
            throw ApiException.BadRequest($"the sandbox knows no field {number} of {type.Name} in protobuf; in JSON it takes every field");
    }

    private static ApiException InvalidEncoding() => ApiException.BadRequest("the body is no valid protobuf: it has groups");
}
