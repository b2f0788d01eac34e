using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// What the table of source ranges holds as far as we know; it changes only after the write that it records. Keys are without bits behind
/// their prefix: the trie does not look at them, so that two keys that differ there are one entry.
/// </summary>
internal sealed class SourceRangeMirror(uint capacity)
{
    private const uint ServiceIdBits = 32;

    /// <summary>True: certainly there. False: a write failed or another process wrote it; it is written or deleted again.</summary>
    private readonly Dictionary<SrangeKey, bool> _known = [];

    public uint Capacity { get; } = capacity;

    public int Count => _known.Count;

    public IEnumerable<SrangeKey> All => _known.Keys;

    public static SrangeKey Key(in DesiredSourceRange range) => new(
        ServiceIdBits + AddrPrefix.Length(range.Addr, range.PrefixLength), U32Be.FromHost(range.ServiceId), range.Addr);

    public static SourceRangeMirror Restore(IKeyedTable<SrangeKey, Srange> table)
    {
        var mirror = new SourceRangeMirror(table.Capacity);
        foreach (var key in Read(table))
            mirror._known[key] = true;
        return mirror;
    }

    public bool Has(in SrangeKey key) => _known.ContainsKey(key);

    public bool HasCertainly(in SrangeKey key) => _known.GetValueOrDefault(key);

    public void Set(in SrangeKey key) => _known[key] = true;

    public void Remove(in SrangeKey key) => _known.Remove(key);

    public void Doubt(in SrangeKey key) => _known[key] = false;

    /// <summary>Compares with the table; returns how many ranges differ and leaves them to the next apply.</summary>
    public int Verify(IKeyedTable<SrangeKey, Srange> table)
    {
        var actual = Read(table).ToHashSet();
        var missing = _known.Keys.Where(k => !actual.Contains(k)).ToList();
        var drift = missing.Count(k => _known[k]);
        foreach (var key in missing)
            _known.Remove(key);
        foreach (var key in actual.Where(k => !_known.ContainsKey(k)))
        {
            _known.Add(key, false);
            drift++;
        }
        return drift;
    }

    private static IEnumerable<SrangeKey> Read(IKeyedTable<SrangeKey, Srange> table) => table.ReadAll()
        .Select(e => e.Key.Prefixlen >= ServiceIdBits
            ? e.Key with { Addr = AddrPrefix.Mask(e.Key.Addr, e.Key.Prefixlen - ServiceIdBits) } : e.Key);
}
