using System.Buffers;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

internal enum WatchEventType
{
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

/// <summary>The envelope of a watch event; the object is left undecoded.</summary>
internal readonly record struct WatchEvent(WatchEventType Type, ReadOnlySequence<byte> Object)
{
    /// <summary>What is read of an event about objects with these members: those, and a Status' where the event is an ERROR.</summary>
    public static KeptMembers Members(KeptMembers ofObject) =>
        KeptMembers.Envelope("object", ofObject.Or(KeptMembers.Of(WireJson.Default.StatusWire)), "type");

    /// <exception cref="JsonException">Not JSON, or not an event.</exception>
    public static WatchEvent Parse(in ReadOnlySequence<byte> line)
    {
        try
        {
            return ParseText(line);
        }
        catch (InvalidOperationException e)
        {
            throw WireReader.NotText(e);
        }
    }

    private static WatchEvent ParseText(in ReadOnlySequence<byte> line)
    {
        WatchEventType? type = null;
        ReadOnlySequence<byte>? value = null;
        var reader = new Utf8JsonReader(line);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("a watch event is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            var isObject = reader.ValueTextEquals("object"u8);
            reader.Read();
            if (isType)
                type = TypeOf(ref reader);
            var start = reader.TokenStartIndex;
            reader.Skip();
            if (isObject)
                value = line.Slice(start, reader.BytesConsumed - start);
        }

        reader.Read(); // anything but white space after the object throws
        return new WatchEvent(
            type ?? throw new JsonException("a watch event has no type"), value ?? throw new JsonException("a watch event has no object"));
    }

    private static WatchEventType TypeOf(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw new JsonException("a watch event's type is not a string");
        if (reader.ValueTextEquals("ADDED"u8))
            return WatchEventType.Added;
        if (reader.ValueTextEquals("MODIFIED"u8))
            return WatchEventType.Modified;
        if (reader.ValueTextEquals("DELETED"u8))
            return WatchEventType.Deleted;
        if (reader.ValueTextEquals("BOOKMARK"u8))
            return WatchEventType.Bookmark;
        return reader.ValueTextEquals("ERROR"u8) ? WatchEventType.Error : throw new JsonException("a watch event is of an unknown type");
    }
}
