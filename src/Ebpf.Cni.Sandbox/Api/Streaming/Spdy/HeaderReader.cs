using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Ebpf.Cni.Sandbox.Api.Streaming.Spdy;

/// <summary>
/// Reads the headers of SPDY streams: all blocks of a connection are one compressed stream (RFC 1950), with a dictionary that both sides
/// know.
/// </summary>
internal sealed class HeaderReader : IDisposable
{
    private const int ZlibHeader = 2, DictionaryId = 4, MostPairs = 64, LongestText = 4096;

    private readonly Feed _feed = new();
    private readonly DeflateStream _inflated;
    private bool _begun;

    public HeaderReader() => _inflated = new DeflateStream(_feed, CompressionMode.Decompress);

    /// <summary>Reads the block that a frame carries. All of a connection's blocks must be read, in their order.</summary>
    /// <exception cref="InvalidDataException">It is no such block.</exception>
    public IReadOnlyDictionary<string, string> Read(ReadOnlySpan<byte> block)
    {
        if (!_begun)
        {
            if (block.Length < ZlibHeader)
                throw new InvalidDataException("a SPDY header block without a beginning");
            Begin(hasDictionary: (block[1] & 0x20) != 0);
            block = block[((block[1] & 0x20) != 0 ? ZlibHeader + DictionaryId : ZlibHeader)..];
        }

        _feed.Add(block);
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var pairs = Number(MostPairs);
        for (var i = 0; i < pairs; i++)
            headers[Text()] = Text();
        return headers;
    }

    public void Dispose()
    {
        _inflated.Dispose();
        _feed.Dispose();
    }

    // .NET's inflater takes no dictionary. One is what has been seen before: the same bytes, read first as a stored block.
    private void Begin(bool hasDictionary)
    {
        _begun = true;
        if (!hasDictionary)
            return;
        var dictionary = HeaderDictionary.Bytes;
        _feed.Add(HeaderBlock.Stored(dictionary));
        _inflated.ReadExactly(new byte[dictionary.Length]);
    }

    private int Number(int most)
    {
        Span<byte> bytes = stackalloc byte[4];
        _inflated.ReadExactly(bytes);
        var number = BinaryPrimitives.ReadInt32BigEndian(bytes);
        return number >= 0 && number <= most ? number : throw new InvalidDataException($"{number} in a SPDY header block");
    }

    private string Text()
    {
        var bytes = new byte[Number(LongestText)];
        if (bytes.Length > 0)
            _inflated.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>What has been received and not been inflated yet.</summary>
    private sealed class Feed : MemoryStream
    {
        public void Add(ReadOnlySpan<byte> bytes)
        {
            var at = Position;
            Position = Length;
            Write(bytes);
            Position = at;
        }
    }
}
