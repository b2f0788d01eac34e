using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>What to do with the next line of a watch; false ends the watch.</summary>
internal delegate bool WatchLineHandler(in ReadOnlySequence<byte> line);

/// <summary>Bytes came.</summary>
/// <param name="bytes">How many.</param>
/// <param name="unfinished">A line has begun and its end is not there yet.</param>
internal delegate void LineArrival(long bytes, bool unfinished);

/// <summary>Cuts a watch's body into lines, however the network cut it into chunks. Holds no more than the line being read.</summary>
internal static class WatchLineReader
{
    private const int LongestLine = 16 << 20;

    /// <summary>
    /// Reads until the server closes or the handler says stop. An unfinished last line is dropped: the event was not received,
    /// and the watch that follows gets it again.
    /// </summary>
    /// <exception cref="JsonException">A line without end.</exception>
    public static async Task ReadAsync(Stream body, WatchLineHandler handle, LineArrival arrived, CancellationToken ct)
    {
        var pipe = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 8 << 10, leaveOpen: true));
        long scanned = 0;
        try
        {
            while (true)
            {
                var read = await pipe.ReadAsync(ct).ConfigureAwait(false);
                var rest = read.Buffer;
                var bytes = rest.Length - scanned;
                while (rest.Slice(scanned).PositionOf((byte)'\n') is { } newline)
                {
                    scanned = 0;
                    if (!IsBlank(rest.Slice(0, newline)) && !handle(rest.Slice(0, newline)))
                        return;
                    rest = rest.Slice(rest.GetPosition(1, newline));
                }

                if (read.IsCompleted)
                    return;
                scanned = rest.Length;
                arrived(bytes, scanned > 0);
                if (scanned > LongestLine)
                    throw new JsonException($"a watch event is longer than {LongestLine >> 20} MiB");
                pipe.AdvanceTo(rest.Start, rest.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync().ConfigureAwait(false);
        }
    }

    private static bool IsBlank(in ReadOnlySequence<byte> line) => line.Length == 0 || (line.Length == 1 && line.FirstSpan[0] == '\r');
}
