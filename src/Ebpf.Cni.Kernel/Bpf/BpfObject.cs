using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// A compiled BPF object file: opened (needs no privilege), adjusted, loaded once. Maps and programs taken from it have
/// descriptors of their own and outlive it.
/// </summary>
public sealed partial class BpfObject : IDisposable
{
    private readonly BpfObjectHandle _handle;
    private readonly string _path;
    private readonly Dictionary<string, nint> _maps;
    private readonly Dictionary<string, nint> _programs;
    private bool _loaded;

    private BpfObject(BpfObjectHandle handle, string path)
    {
        _handle = handle;
        _path = path;
        _maps = WalkMaps();
        _programs = WalkPrograms();
        Btf = ReadBtf();
    }

    /// <summary>Functions with a section of their own, in file order.</summary>
    public IReadOnlyList<string> ProgramNames => [.. _programs.Keys];

    /// <summary>
    /// As declared, with <see cref="SetMaxEntries"/> applied; globals appear as maps named after their section (".rodata"; of
    /// ".data.ebc_NAME" only the name).
    /// </summary>
    public IReadOnlyList<BpfMapSpec> Maps => [.. _maps.Select(map => Describe(map.Key, map.Value))];

    /// <summary>The types of the object; map key and value ids refer to it.</summary>
    public Btf Btf { get; }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="KernelException">It is no BPF object with BTF.</exception>
    /// <exception cref="DllNotFoundException">libbpf is not installed.</exception>
    public static BpfObject Open(string path)
    {
        LibBpf.EnsureLoaded();
        if (!File.Exists(path))
            throw new FileNotFoundException($"the BPF object {path} does not exist", path);
        var native = LibBpf.OpenObject(path, 0);
        if (native == 0)
            throw LibC.LastError($"open the BPF object {path}");
        var handle = new BpfObjectHandle(native);
        try
        {
            return new BpfObject(handle, path);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <param name="map">As declared.</param>
    /// <param name="entries">Elements; bytes for ring buffers (a power of two, whole pages).</param>
    public void SetMaxEntries(string map, uint entries)
    {
        RequireNotLoaded();
        Check(LibBpf.SetMapMaxEntries(FindMap(map), entries), $"size the map {map} for {entries} entries");
    }

    /// <summary>Programs are loaded by default; one that the kernel cannot have is switched off.</summary>
    public void SetAutoLoad(string program, bool on)
    {
        RequireNotLoaded();
        Check(LibBpf.SetProgramAutoLoad(FindProgram(program), on), $"switch loading of {program}");
    }

    /// <summary>Uses an existing map in place of the object's own.</summary>
    /// <exception cref="ArgumentException">Its type, sizes or flags differ: programs would misread it.</exception>
    public void ReuseMap(string map, BpfMap existing)
    {
        ArgumentNullException.ThrowIfNull(existing);
        RequireNotLoaded();
        var native = FindMap(map);
        var declared = Describe(map, native);
        if (!existing.Info.SameLayout(declared))
            throw new ArgumentException($"the map {map} is declared as {declared}, the one to reuse is {existing.Info}");
        using var lease = existing.Handle.Lease();
        Check(LibBpf.ReuseMapFd(native, lease.Fd), $"reuse {existing} as {map}");
    }

    /// <exception cref="InvalidOperationException">The object is not loaded.</exception>
    public BpfMap GetMap(string name)
    {
        RequireLoaded();
        return BpfMap.Own(FdHandle.Duplicate(LibBpf.MapFd(FindMap(name))));
    }

    /// <exception cref="InvalidOperationException">The object is not loaded, or this program was switched off.</exception>
    public BpfProgram GetProgram(string name)
    {
        RequireLoaded();
        var native = FindProgram(name);
        if (!LibBpf.ProgramAutoLoad(native))
            throw new InvalidOperationException($"the program {name} was not loaded: it is switched off");
        return BpfProgram.Own(FdHandle.Duplicate(LibBpf.ProgramFd(native)), name);
    }

    public void Dispose() => _handle.Dispose();

    private nint FindMap(string name)
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        return _maps.TryGetValue(name, out var map) ? map
            : throw new ArgumentException($"{_path} has no map '{name}'; it has: {string.Join(", ", _maps.Keys)}");
    }

    private nint FindProgram(string name)
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        return _programs.TryGetValue(name, out var program) ? program
            : throw new ArgumentException($"{_path} has no program '{name}'; it has: {string.Join(", ", _programs.Keys)}");
    }

    private void RequireLoaded()
    {
        if (!_loaded)
            throw new InvalidOperationException($"{_path} is not loaded yet");
    }

    private void RequireNotLoaded()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        if (_loaded)
            throw new InvalidOperationException($"{_path} is already loaded");
    }

    private void Check(int result, string operation)
    {
        if (result < 0)
            throw new KernelException($"{Path.GetFileName(_path)}: {operation}", -result);
    }

    private static BpfMapSpec Describe(string name, nint map) => new(
        name, (BpfMapType)LibBpf.MapType(map), (int)LibBpf.MapKeySize(map), (int)LibBpf.MapValueSize(map),
        LibBpf.MapMaxEntries(map), (BpfMapFlags)LibBpf.MapFlags(map))
    {
        KeyTypeId = LibBpf.MapKeyTypeId(map),
        ValueTypeId = LibBpf.MapValueTypeId(map),
    };

    private unsafe Dictionary<string, nint> WalkMaps()
    {
        var maps = new Dictionary<string, nint>();
        for (var map = LibBpf.NextMap(_handle, 0); map != 0; map = LibBpf.NextMap(_handle, map))
            maps.Add(SectionName(Text(LibBpf.MapName(map))), map);
        return maps;
    }

    private unsafe Dictionary<string, nint> WalkPrograms()
    {
        var programs = new Dictionary<string, nint>();
        for (var program = LibBpf.NextProgram(_handle, 0); program != 0; program = LibBpf.NextProgram(_handle, program))
            programs.Add(Text(LibBpf.ProgramName(program)), program);
        return programs;
    }

    private unsafe Btf ReadBtf()
    {
        var native = LibBpf.ObjectBtf(_handle);
        if (native == 0)
            throw new KernelException($"read the types of {_path}", Errno.EINVAL, "it was compiled without -g and has no BTF");
        uint size;
        var data = LibBpf.BtfRawData(native, &size);
        return data is not null ? Btf.Parse(new ReadOnlySpan<byte>(data, (int)size)) : throw LibC.LastError($"read the types of {_path}");
    }

    // libbpf names the maps of globals "<object>.rodata"; which object is known already. Those of a section ".data.ebc_NAME" are maps that
    // objects share by that name.
    private static string SectionName(string map)
    {
        const string section = ".data.", shared = "ebc_";
        if (map.StartsWith(section + shared, StringComparison.Ordinal))
            return map[section.Length..];
        var dot = map.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 ? map[dot..] : map;
    }

    private static unsafe string Text(byte* native) => Marshal.PtrToStringUTF8((nint)native) ?? "";
}
