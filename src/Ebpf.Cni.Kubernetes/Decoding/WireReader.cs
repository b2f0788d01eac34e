using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>Decodes one value that is completely there.</summary>
internal static class WireReader
{
    /// <exception cref="JsonException">Not JSON, or not of this shape.</exception>
    public static TWire? Read<TWire>(in ReadOnlySequence<byte> json, JsonTypeInfo<TWire> type)
    {
        var reader = new Utf8JsonReader(json);
        try
        {
            var value = JsonSerializer.Deserialize(ref reader, type);
            reader.Read(); // anything but white space after the value throws
            return value;
        }
        catch (InvalidOperationException e)
        {
            throw NotText(e);
        }
    }

    /// <summary>The JSON reader reports strings that are no text (broken UTF-8, lone surrogates) as if the caller had misused it.</summary>
    public static JsonException NotText(InvalidOperationException e) => new("a string is not text: " + e.Message, e);
}
