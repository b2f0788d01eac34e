using System.Collections.Immutable;
using System.Globalization;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>A list at one resourceVersion; the rest of a paged list reads the same version, whatever happened since.</summary>
public sealed record ObjectPage(IReadOnlyList<StoredObject> Items, long ResourceVersion, string? Continue, int? Remaining);

/// <summary>
/// Continue tokens: "serial.offset" into a frozen list. A frozen list is forgotten when <see cref="Expire"/> is called or when many newer
/// ones exist; its token then answers 410 Expired, as a compacted token does in a real cluster.
/// </summary>
internal sealed class ListPages
{
    private const int Kept = 64;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, (ImmutableArray<StoredObject> Items, long Version)> _frozen = [];
    private long _serial;

    public ObjectPage First(ImmutableArray<StoredObject> items, long version, int limit)
    {
        if (limit <= 0 || items.Length <= limit)
            return new ObjectPage(items, version, null, null);
        lock (_lock)
        {
            _frozen[++_serial] = (items, version);
            _frozen.Remove(_serial - Kept);
            return Page(_serial, 0, limit);
        }
    }

    public ObjectPage Next(string token, int limit)
    {
        var parts = token.Split('.');
        if (parts.Length != 2 || !long.TryParse(parts[0], CultureInfo.InvariantCulture, out var serial)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var offset))
            throw ApiException.BadRequest("continue key is not valid");
        lock (_lock)
        {
            if (!_frozen.ContainsKey(serial))
                throw ApiException.Expired(
                    "The provided continue parameter is too old to display a consistent list result. You must start a new list without the "
                    + "continue parameter.");
            return offset <= _frozen[serial].Items.Length
                ? Page(serial, offset, limit) : throw ApiException.BadRequest("continue key is not valid");
        }
    }

    public void Expire()
    {
        lock (_lock)
            _frozen.Clear();
    }

    private ObjectPage Page(long serial, int offset, int limit)
    {
        var (items, version) = _frozen[serial];
        var count = limit <= 0 ? items.Length - offset : Math.Min(limit, items.Length - offset);
        var rest = items.Length - offset - count;
        var next = rest > 0 ? string.Create(CultureInfo.InvariantCulture, $"{serial}.{offset + count}") : null;
        return new ObjectPage(items[offset..(offset + count)], version, next, rest > 0 ? rest : null);
    }
}
