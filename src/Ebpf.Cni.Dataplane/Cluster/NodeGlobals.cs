using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Cluster;

/// <summary>
/// <c>ebc_node_v1</c>, the global that all programs read without a lookup: written through memory, in words of 8 bytes, each at once.
/// Addresses are not switched as a whole: a packet in the instant in which the node's address changes may see half of either, and would not
/// have been answered with the former one.
/// </summary>
public sealed class NodeGlobals : IDisposable
{
    private const int OverlayWord = 4, EpochWord = 6;
    private readonly Lock _lock = new();
    private readonly BpfMap _map;
    private readonly MappedArray<Node> _memory;

    /// <param name="map">Owned.</param>
    internal NodeGlobals(BpfMap map)
    {
        _map = map;
        _memory = map.MapArray<Node>();
    }

    public Node Read()
    {
        lock (_lock)
            return _memory.Span[0];
    }

    /// <summary>The addresses by which others know the node; null: none of this family.</summary>
    public void SetOwn(Addr? v4, Addr? v6)
    {
        lock (_lock)
        {
            var node = Read() with { Own = new Uplink(v4 ?? default, v6 ?? default) };
            Write(node, 0, OverlayWord);
        }
    }

    /// <summary>This node's end of all tunnels. The device comes last and goes first: without one the rest means nothing.</summary>
    public void SetOverlay(in Abi.Overlay overlay)
    {
        lock (_lock)
        {
            var node = Read();
            Write(node with { Overlay = default }, OverlayWord, OverlayWord + 1);
            node = node with { Overlay = overlay };
            Write(node, OverlayWord + 1, EpochWord);
            Write(node, OverlayWord, OverlayWord + 1);
        }
    }

    /// <summary>
    /// Frontends change until the result is disposed: meanwhile flows that may move ask them with every packet, and once afterwards. An
    /// agent that dies in between leaves it so.
    /// </summary>
    public IDisposable Changing()
    {
        Doubt();
        return new Change(this);
    }

    /// <summary>Flows that may move ask the frontends with every packet, until the next change has ended.</summary>
    internal void Doubt()
    {
        lock (_lock)
            WriteEpoch(Read().Epoch | 1);
    }

    public void Dispose()
    {
        _memory.Dispose();
        _map.Dispose();
    }

    private void EndChange()
    {
        lock (_lock)
            WriteEpoch((Read().Epoch | 1) + 1);
    }

    private void WriteEpoch(uint epoch) => Write(Read() with { Epoch = epoch }, EpochWord, EpochWord + 1);

    private void Write(in Node node, int first, int end)
    {
        var from = MemoryMarshal.Cast<Node, ulong>(new ReadOnlySpan<Node>(in node));
        var to = MemoryMarshal.Cast<Node, ulong>(_memory.Span);
        for (var word = first; word < end; word++)
            Volatile.Write(ref to[word], from[word]);
    }

    private sealed class Change(NodeGlobals globals) : IDisposable
    {
        public void Dispose() => globals.EndChange();
    }
}
