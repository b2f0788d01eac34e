using System.Buffers;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>
/// Copies a JSON object without the members that no decoder reads: most of a Node are images, conditions and
/// managedFields, and skipping them bracket by bracket costs a fraction of reading them token by token. What is dropped
/// is not checked beyond its brackets and quotes; what is kept is for the decoder to judge. Not for several threads.
/// </summary>
internal sealed class JsonPruner(KeptMembers kept)
{
    /// <summary>Buffers up to here are kept for the next object.</summary>
    private const int LargestKept = 64 << 10;

    private byte[] _input = [];
    private byte[] _output = [];

    /// <summary>
    /// The pruned object, valid until the next call; the text itself if it is not an object of
    /// the plain form that API servers write, so that the decoder says what is wrong with it.
    /// </summary>
    public ReadOnlySequence<byte> Prune(in ReadOnlySequence<byte> json)
    {
        var length = checked((int)json.Length);
        var text = json.IsSingleSegment ? json.FirstSpan : Joined(json, length);
        Reserve(ref _output, length);
        var scan = new JsonScan(text, _output);
        return scan.CopyAll(kept) ? new ReadOnlySequence<byte>(_output, 0, scan.Written) : json;
    }

    private ReadOnlySpan<byte> Joined(in ReadOnlySequence<byte> json, int length)
    {
        Reserve(ref _input, length);
        json.CopyTo(_input);
        return _input.AsSpan(0, length);
    }

    private static void Reserve(ref byte[] buffer, int length)
    {
        if (buffer.Length < length || buffer.Length > LargestKept)
            buffer = new byte[Math.Max(length, 4 << 10)];
    }
}
