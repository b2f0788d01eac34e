namespace Ebpf.Cni.Cli.Merged;

/// <summary>
/// Lists of several nodes as one: items with the same key are one entry, and each list's order is kept where the lists agree.
/// </summary>
/// <param name="key">What makes items of two nodes the same.</param>
internal sealed class Merge<TKey, TItem>(Func<TItem, TKey> key) where TKey : notnull
{
    private readonly LinkedList<MergedEntry<TItem>> _entries = new();
    private readonly Dictionary<TKey, LinkedListNode<MergedEntry<TItem>>> _known = [];

    public IReadOnlyCollection<MergedEntry<TItem>> Entries => _entries;

    public void Add(string node, IReadOnlyList<TItem> items)
    {
        // What is new goes before what follows it in its own list: behind what earlier nodes have there.
        LinkedListNode<MergedEntry<TItem>>? next = null;
        foreach (var item in items.Reverse())
        {
            if (!_known.TryGetValue(key(item), out var place))
            {
                var entry = new MergedEntry<TItem>();
                place = next is null ? _entries.AddLast(entry) : _entries.AddBefore(next, entry);
                _known.Add(key(item), place);
            }

            place.Value.Add(node, item);
            next = place;
        }
    }
}

/// <summary>What several nodes have in common.</summary>
internal sealed class MergedEntry<TItem>
{
    private readonly List<string> _nodes = [];
    private readonly List<TItem> _items = [];

    /// <summary>That have it, in the order in which they were added.</summary>
    public IReadOnlyList<string> Nodes => _nodes;

    /// <summary>One for each node, in the same order.</summary>
    public IReadOnlyList<TItem> Items => _items;

    public void Add(string node, TItem item)
    {
        if (_nodes.Contains(node))
            return;
        _nodes.Add(node);
        _items.Add(item);
    }
}
