using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>An object whose metadata can be read even if nothing else can.</summary>
internal interface IObjectWire
{
    MetaWire? Metadata { get; }
}

internal sealed class MetaOnlyWire : IObjectWire
{
    public MetaWire? Metadata { get; set; }
}

internal sealed class MetaWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Namespace { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }

    public string? Uid { get; set; }
    public string? ResourceVersion { get; set; }
    public LabelsWire? Labels { get; set; }
    public AnnotationsWire? Annotations { get; set; }
    public string? DeletionTimestamp { get; set; }
}

/// <summary>The labels that mean something to us; the rest is skipped unread.</summary>
[JsonConverter(typeof(LabelsConverter))]
internal sealed class LabelsWire
{
    public string? ServiceName { get; set; }
    public string? ProxyName { get; set; }
    public bool Headless { get; set; }
    public string? Zone { get; set; }
}

internal sealed class LabelsConverter : JsonConverter<LabelsWire>
{
    public override LabelsWire Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("labels are not an object");
        var labels = new LabelsWire();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var service = reader.ValueTextEquals("kubernetes.io/service-name"u8);
            var proxy = reader.ValueTextEquals("service.kubernetes.io/service-proxy-name"u8);
            var headless = reader.ValueTextEquals("service.kubernetes.io/headless"u8);
            var zone = reader.ValueTextEquals("topology.kubernetes.io/zone"u8);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException("a label is not a string");
            if (service)
                labels.ServiceName = StringPool.Get(ref reader);
            else if (proxy)
                labels.ProxyName = StringPool.Get(ref reader);
            else if (zone)
                labels.Zone = StringPool.Get(ref reader);
            labels.Headless |= headless;
        }

        return labels;
    }

    public override void Write(Utf8JsonWriter writer, LabelsWire value, JsonSerializerOptions options) => throw new NotSupportedException();
}
