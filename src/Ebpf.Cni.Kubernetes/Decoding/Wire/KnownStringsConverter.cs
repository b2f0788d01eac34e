using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>A map of strings to strings, of which a few keys mean something to us; the others' values are skipped unread.</summary>
/// <param name="what">The map, for the error's text.</param>
internal abstract class KnownStringsConverter<T>(string what) : JsonConverter<T> where T : new()
{
    /// <summary>A number of the implementation's own for the key that the reader stands on; 0: unknown.</summary>
    protected abstract int Known(ref Utf8JsonReader key);

    protected abstract void Take(T strings, int known, ref Utf8JsonReader value);

    public sealed override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException($"{what} are not an object");
        var strings = new T();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var known = Known(ref reader);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw new JsonException($"a value of the {what} is not a string");
            if (known != 0)
                Take(strings, known, ref reader);
        }

        return strings;
    }

    public sealed override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => throw new NotSupportedException();
}
