using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane;

/// <summary>Tables whose programs do not exist yet: made here, so that their contents can already be written.</summary>
internal static class Interim
{
    public static IEnumerable<string> Names => [MapNames.SourceRange, MapNames.Ipcache, MapNames.Affinity, MapNames.Stat, MapNames.Uplink, MapNames.Netns];

    public static BpfMap OpenOrCreate(PinLayout pins, string name)
    {
        if (BpfMap.TryOpenPinned(pins.Map(name), out var pinned))
            return pinned;
        var map = BpfMap.Create(name switch
        {
            MapNames.SourceRange => new(name, BpfMapType.LpmTrie, 24, 4, 65536, BpfMapFlags.NoPreallocation),
            MapNames.Ipcache => new(name, BpfMapType.LpmTrie, 20, 4, 65536, BpfMapFlags.NoPreallocation),
            MapNames.Affinity => new(name, BpfMapType.LruHash, 24, 32, 65536),
            MapNames.Stat => new(name, BpfMapType.LruHash, 24, 40, 65536),
            MapNames.Uplink => new(name, BpfMapType.Hash, 4, 32, 256),
            MapNames.Netns => new(name, BpfMapType.Hash, 8, 32, 4096),
            _ => throw new DataplaneException($"{pins.Map(name)} is not pinned"),
        });
        map.Pin(pins.Map(name));
        return map;
    }
}

/// <summary>Nothing dies without the program that judges it.</summary>
internal sealed class NoReaper : IReaper
{
    public int Batch => 64;

    public int Reap(ReadOnlySpan<CtKey> keys) => 0;
}
