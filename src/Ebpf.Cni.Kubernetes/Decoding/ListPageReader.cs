using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>The envelope of a list page.</summary>
internal readonly record struct ListPage(string Version, string? Continue);

/// <summary>
/// Decodes a list page as it arrives, one element at a time: what is held is the element being read, never the page. An element that cannot
/// be decoded is an element with an error; a page that is not a list of the expected kind is an exception, because an answer that merely
/// lacks items must never read as "there are none".
/// </summary>
/// <param name="kind">The kind of the elements.</param>
/// <param name="pruner">Drops what <see cref="ResourceKind{T}.Members"/> lacks.</param>
internal sealed class ListPageReader<T>(ResourceKind<T> kind, JsonPruner pruner)
    where T : class
{
    /// <summary>No API object is larger: etcd refuses 1.5 MiB by default.</summary>
    private const int LargestElement = 16 << 20;
    private const int LargeElement = 256 << 10;

    private readonly List<Decoded<T>> _items = [];
    private JsonReaderState _state;
    private Where _where = Where.Start;
    private string? _kind;
    private ListMetaWire? _meta;
    private bool _sawItems;

    private enum Where
    {
        Start,
        Top,
        Items,
        End,
    }

    /// <param name="body">The response's body.</param>
    /// <param name="arrived">Called with the number of bytes whenever some came.</param>
    /// <param name="ct">Ends the read.</param>
    /// <exception cref="JsonException">Not JSON, cut off, or not a list of this kind.</exception>
    public async Task<(ListPage Page, List<Decoded<T>> Items)> ReadAsync(Stream body, Action<long> arrived, CancellationToken ct)
    {
        var pipe = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 16 << 10, leaveOpen: true));
        long held = 0;
        try
        {
            while (true)
            {
                // An element is read from its beginning each time that more of it is there: once per doubling, not once per packet.
                var read = held < LargeElement
                    ? await pipe.ReadAsync(ct).ConfigureAwait(false)
                    : await pipe.ReadAtLeastAsync((int)(2 * held), ct).ConfigureAwait(false);
                arrived(read.Buffer.Length - held);
                var consumed = Consume(read.Buffer, read.IsCompleted);
                if (read.IsCompleted)
                    return (Finish(), _items);
                held = read.Buffer.Slice(consumed).Length;
                if (held > LargestElement)
                    throw new JsonException($"an element of the {kind.Kind} list is larger than {LargestElement >> 20} MiB");
                pipe.AdvanceTo(consumed, read.Buffer.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync().ConfigureAwait(false);
        }
    }

    private SequencePosition Consume(in ReadOnlySequence<byte> buffer, bool last)
    {
        var reader = new Utf8JsonReader(buffer, last, _state);
        try
        {
            while (true)
            {
                var safe = reader;
                if (!Step(ref reader, buffer))
                {
                    _state = safe.CurrentState;
                    return safe.Position;
                }
            }
        }
        catch (InvalidOperationException e)
        {
            throw WireReader.NotText(e);
        }
    }

    /// <summary>Consumes the next whole piece; false: more bytes are needed, and nothing was consumed that matters.</summary>
    private bool Step(ref Utf8JsonReader reader, in ReadOnlySequence<byte> buffer)
    {
        if (!reader.Read())
            return false;
        switch (_where)
        {
            case Where.Start when reader.TokenType == JsonTokenType.StartObject:
                _where = Where.Top;
                return true;
            case Where.Top when reader.TokenType == JsonTokenType.EndObject:
                _where = Where.End;
                return true;
            case Where.Top when reader.TokenType == JsonTokenType.PropertyName:
                return Property(ref reader, buffer);
            case Where.Items when reader.TokenType == JsonTokenType.EndArray:
                _where = Where.Top;
                return true;
            case Where.Items:
                if (!WholeValue(ref reader, buffer, out var element))
                    return false;
                _items.Add(kind.Decode(pruner.Prune(element)));
                return true;
            default:
                throw new JsonException($"a {kind.Kind} list does not have a {reader.TokenType} here");
        }
    }

    private bool Property(ref Utf8JsonReader reader, in ReadOnlySequence<byte> buffer)
    {
        var isKind = reader.ValueTextEquals("kind"u8);
        var isMeta = reader.ValueTextEquals("metadata"u8);
        var isItems = reader.ValueTextEquals("items"u8);
        if (!reader.Read())
            return false;
        if (isItems && reader.TokenType == JsonTokenType.StartArray)
        {
            _sawItems = true;
            _where = Where.Items;
            return true;
        }

        if (!WholeValue(ref reader, buffer, out var value))
            return false;
        if (isItems)
            _sawItems = reader.TokenType == JsonTokenType.Null ? true : throw new JsonException("items is not an array");
        else if (isMeta)
            _meta = WireReader.Read(value, WireJson.Default.ListMetaWire);
        else if (isKind && reader.TokenType == JsonTokenType.String)
            _kind = StringPool.Get(ref reader);
        return true;
    }

    /// <summary>The bytes of the value whose first token was just read, if they are all there.</summary>
    private static bool WholeValue(ref Utf8JsonReader reader, in ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> value)
    {
        value = default;
        var start = reader.TokenStartIndex;
        if (!reader.TrySkip())
            return false;
        value = buffer.Slice(start, reader.BytesConsumed - start);
        return true;
    }

    private ListPage Finish()
    {
        if (_where != Where.End)
            throw new JsonException($"the {kind.Kind} list is cut off");
        if (_kind != kind.Kind + "List")
            throw new JsonException($"a {kind.Kind}List was asked for, the answer is of kind '{_kind}'");
        if (!_sawItems)
            throw new JsonException($"the {kind.Kind} list has no items field");
        if (string.IsNullOrEmpty(_meta?.ResourceVersion))
            throw new JsonException($"the {kind.Kind} list has no resourceVersion");
        return new ListPage(_meta.ResourceVersion, string.IsNullOrEmpty(_meta.Continue) ? null : _meta.Continue);
    }
}
