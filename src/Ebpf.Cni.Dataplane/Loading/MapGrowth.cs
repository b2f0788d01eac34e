using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// Larger tables for a changed option, without a moment of missing services: the new map gets the old one's content, then the links get programs that
/// use the new one, then it takes over the pin. Only tables that nobody but the agent writes can grow so; nothing is applied in between, so
/// both maps hold the same, whichever the programs use, and a start that dies halfway is simply repeated by the next one.
/// </summary>
internal sealed class MapGrowth(PinLayout pins) : IDisposable
{
    private const string NextSuffix = "_next";
    private readonly Dictionary<string, BpfMap> _grown = [];

    public static bool CanGrow(string map) => map is MapNames.Service or MapNames.Backend or MapNames.Endpoint
        or MapNames.Netns or MapNames.SourceRange or MapNames.Ipcache;

    /// <summary>Pins of a start that died between two steps of <see cref="Commit"/>.</summary>
    public void DropUnfinished()
    {
        foreach (var leftover in Directory.GetFiles(pins.Maps, "*" + NextSuffix))
            File.Delete(leftover);
    }

    /// <summary>A map that has grown in this start already, by an object that was loaded before.</summary>
    public BpfMap? Find(string map) => _grown.GetValueOrDefault(map);

    /// <summary>Fills the larger map that an object's load has just made.</summary>
    public void Fill(string name, BpfObject loaded)
    {
        var young = loaded.GetMap(name);
        _grown.Add(name, young);
        using var old = BpfMap.OpenPinned(pins.Map(name));
        switch (name)
        {
            case MapNames.Service:
                Copy<SvcKey, Svc>(old, young);
                break;
            case MapNames.Endpoint:
                Copy<EpKey, Ep>(old, young);
                break;
            case MapNames.Netns:
                Copy<NetnsKey, Netns>(old, young);
                break;
            case MapNames.SourceRange:
                Copy<SrangeKey, Srange>(old, young);
                break;
            case MapNames.Ipcache:
                Copy<IpcacheKey, Ipcache>(old, young);
                break;
            default:
                using (var from = old.MapArray<Backend>())
                using (var to = young.MapArray<Backend>())
                    from.Span.CopyTo(to.Span);
                break;
        }
    }

    /// <summary>When every link runs programs that use the new maps: they take over the pins.</summary>
    public void Commit()
    {
        foreach (var (name, map) in _grown)
        {
            var next = pins.Map(name) + NextSuffix;
            map.Pin(next);
            File.Move(next, pins.Map(name), overwrite: true);
        }
        Dispose();
    }

    public void Dispose()
    {
        foreach (var map in _grown.Values)
            map.Dispose();
        _grown.Clear();
    }

    private static void Copy<TKey, TValue>(BpfMap from, BpfMap to) where TKey : unmanaged where TValue : unmanaged
    {
        var entries = from.ReadAll<TKey, TValue>();
        to.UpdateBatch<TKey, TValue>(entries.Select(e => e.Key).ToArray(), entries.Select(e => e.Value).ToArray());
    }
}
