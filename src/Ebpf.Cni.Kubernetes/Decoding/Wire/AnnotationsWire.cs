using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>The annotations that mean something to us; the rest, which may be large, is skipped unread.</summary>
[JsonConverter(typeof(AnnotationsConverter))]
internal sealed class AnnotationsWire
{
    public string? LastChangeTriggerTime { get; set; }

    /// <summary>What spec.loadBalancerSourceRanges was before it was a field.</summary>
    public string? SourceRanges { get; set; }
}

internal sealed class AnnotationsConverter : JsonConverter<AnnotationsWire>
{
    public override AnnotationsWire Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("annotations are not an object");
        var annotations = new AnnotationsWire();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var trigger = reader.ValueTextEquals("endpoints.kubernetes.io/last-change-trigger-time"u8);
            var ranges = reader.ValueTextEquals("service.beta.kubernetes.io/load-balancer-source-ranges"u8);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException("an annotation is not a string");
            if (trigger)
                annotations.LastChangeTriggerTime = reader.GetString();
            else if (ranges)
                annotations.SourceRanges = reader.GetString();
        }

        return annotations;
    }

    public override void Write(Utf8JsonWriter writer, AnnotationsWire value, JsonSerializerOptions options) => throw new NotSupportedException();
}
