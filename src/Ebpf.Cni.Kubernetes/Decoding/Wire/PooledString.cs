using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>Decodes a string through the <see cref="StringPool"/>.</summary>
internal sealed class PooledString : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String ? StringPool.Get(ref reader) : throw new JsonException("a string was expected");

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}
