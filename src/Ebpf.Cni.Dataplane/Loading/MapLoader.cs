using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// Makes the objects use the maps that are pinned, and pins those that are not. All objects share maps by name. A pinned table whose option
/// asks for more is replaced by a larger one in place (<see cref="MapGrowth"/>), and an LRU table by a smaller one where that loses
/// nothing. One whose layout is not the object's is refused, never reinterpreted.
/// </summary>
internal sealed class MapLoader(PinLayout pins, DataplaneOptions options, ICollection<string> notices) : IDisposable
{
    private const string Prefix = "ebc_";
    private readonly HashSet<string> _noticed = [];
    private readonly HashSet<string> _growing = [];
    private readonly HashSet<string> _used = [];
    private readonly MapGrowth _growth = new(pins);

    /// <summary>
    /// Removes what an earlier start left halfway, and frontends without their backends, which are useless: as backends are pinned first,
    /// only an outside hand can have caused that.
    /// </summary>
    public void Tidy()
    {
        _growth.Resume();
        if (!File.Exists(pins.Map(MapNames.Service)) || File.Exists(pins.Map(MapNames.Backend)))
            return;
        File.Delete(pins.Map(MapNames.Service));
        notices.Add(
            $"{pins.Map(MapNames.Service)} was pinned without {MapNames.Backend}: both tables start empty; the first sync fills them");
    }

    /// <summary>
    /// Programs of one generation may not use a former table beside those of the next one that use the new table: another one in between
    /// uses both.
    /// </summary>
    public ConfigFlags Resizing =>
        (IsReplaced(MapNames.ConntrackTcp) ? ConfigFlags.ResizeTcp : 0) | (IsReplaced(MapNames.ConntrackAny) ? ConfigFlags.ResizeAny : 0);

    /// <summary>The same when the new tables have taken over: then these programs go again, and the former table with them.</summary>
    public bool NeededBoth { get; private set; }

    /// <summary>Prepares an opened object: sizes, and the maps that exist.</summary>
    /// <exception cref="DataplaneException">A pinned map has another layout.</exception>
    public void Prepare(BpfObject unloaded)
    {
        foreach (var idle in unloaded.Maps.Where(m => TableLimits.IsIdle(options, m.Name)))
            unloaded.SetMaxEntries(idle.Name, 1);
        foreach (var declared in Shared(unloaded))
        {
            var spec = Sized(unloaded, declared);
            _used.Add(spec.Name);
            if (_growth.Find(spec.Name) is { } grown)
            {
                unloaded.ReuseMap(spec.Name, grown);
                continue;
            }
            if (!BpfMap.TryOpenPinned(pins.Map(spec.Name), out var pinned))
                continue;
            using (pinned)
            {
                if (!pinned.Info.SameLayout(spec))
                    throw Mismatch(spec, pinned.Info);
                if (MapGrowth.CanReplace(spec.Name, pinned, spec.MaxEntries))
                {
                    _growing.Add(spec.Name);
                    continue;
                }
                if (pinned.Info.MaxEntries != spec.MaxEntries)
                    NoticeSize(spec, pinned.Info);
                unloaded.SetMaxEntries(spec.Name, pinned.Info.MaxEntries);
                unloaded.ReuseMap(spec.Name, pinned);
            }
        }
        ReuseFormer(unloaded, MapNames.ConntrackTcp, MapNames.ConntrackTcpOld);
        ReuseFormer(unloaded, MapNames.ConntrackAny, MapNames.ConntrackAnyOld);
    }

    private void ReuseFormer(BpfObject unloaded, string name, string former)
    {
        if (!IsReplaced(name) || unloaded.Maps.All(m => m.Name != former))
            return;
        using var pinned = BpfMap.OpenPinned(pins.Map(name));
        unloaded.SetMaxEntries(former, pinned.Info.MaxEntries);
        unloaded.ReuseMap(former, pinned);
    }

    private bool IsReplaced(string name) => _growing.Contains(name) || _growth.Find(name) is not null;

    /// <summary>Fills what grows, and pins what else the load has created: everything before the frontends.</summary>
    public void PinNew(BpfObject loaded)
    {
        foreach (var name in _growing)
            _growth.Fill(name, loaded);
        _growing.Clear();
        foreach (var spec in Shared(loaded).OrderBy(s => s.Name == MapNames.Service))
        {
            if (File.Exists(pins.Map(spec.Name)))
                continue;
            using var map = loaded.GetMap(spec.Name);
            map.Pin(pins.Map(spec.Name));
        }
    }

    /// <summary>To be called before the first program is replaced: from now on both the former programs and the new ones write.</summary>
    public void Follow() => _growth.Follow();

    /// <summary>
    /// To be called when every link runs the programs that were loaded: from now on the pins name their maps. Tables of another version's
    /// layout have lost their last reader: left behind they would hold their memory, and a later return to that version would serve what
    /// was true long ago.
    /// </summary>
    public void Commit()
    {
        NeededBoth = Resizing != ConfigFlags.None;
        _growth.Commit();
        foreach (var path in Directory.GetFiles(pins.Maps, Prefix + "*").Where(p => !_used.Contains(Path.GetFileName(p)))
            .Order(StringComparer.Ordinal))
        {
            File.Delete(path);
            if (!TableLimits.IsIdle(options, Path.GetFileName(path)))
                notices.Add($"{path} removed: a table of another version of ebpf-cni that no program uses");
        }
    }

    public void Dispose() => _growth.Dispose();

    /// <summary>All but what is idle.</summary>
    private List<BpfMapSpec> Shared(BpfObject o) =>
        [.. o.Maps.Where(m => m.Name.StartsWith(Prefix, StringComparison.Ordinal) && !TableLimits.IsIdle(options, m.Name))];

    private BpfMapSpec Sized(BpfObject unloaded, BpfMapSpec declared)
    {
        if (SizeOf(declared.Name) is not { } sized)
            return declared;
        unloaded.SetMaxEntries(declared.Name, sized.Entries);
        return declared with { MaxEntries = sized.Entries };
    }

    private (uint Entries, string Option)? SizeOf(string map) => TableLimits.Of(options, map);

    private void NoticeSize(BpfMapSpec spec, BpfMapInfo pinned)
    {
        if (!_noticed.Add(spec.Name))
            return;
        var setting = SizeOf(spec.Name) is { } sized ? $"the {sized.Option} option" : "the size declared in the BPF object";
        notices.Add(MapGrowth.CanShrink(spec.Name)
            ? $"{spec.Name} keeps size {pinned.MaxEntries}, too many entries are in use: {setting} ({spec.MaxEntries}) takes effect " +
              "at an agent start with fewer"
            : $"{spec.Name} keeps size {pinned.MaxEntries}, running programs use it: {setting} ({spec.MaxEntries}) takes effect " +
              $"after a reboot, or after {pins.Map(spec.Name)} is deleted while the agent is stopped " +
              "(new connections fail until the first sync)");
    }

    private DataplaneException Mismatch(BpfMapSpec spec, BpfMapInfo pinned) => new(
        $"{pins.Map(spec.Name)} has another layout than this version's programs: pinned " +
        $"{Describe(pinned.Type, pinned.KeySize, pinned.ValueSize, pinned.Flags)}, " +
        $"needed {Describe(spec.Type, spec.KeySize, spec.ValueSize, spec.Flags)}. It was not changed. " +
        "No release of ebpf-cni wrote it: delete the file to start with an empty table.");

    private static string Describe(BpfMapType type, int keySize, int valueSize, BpfMapFlags flags) =>
        $"{type}, key {keySize} bytes, value {valueSize} bytes, flags {flags}";
}
