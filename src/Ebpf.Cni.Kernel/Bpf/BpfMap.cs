using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// A BPF map, held by a descriptor of its own: it lives until the last descriptor, pin and program using it are gone.
/// Safe for concurrent use. A key or value type whose size is not the map's is an <see cref="ArgumentException"/>.
/// </summary>
public sealed partial class BpfMap : IDisposable
{
    private readonly FdHandle _fd;

    internal BpfMap(FdHandle fd)
    {
        _fd = fd;
        var native = BpfFile.Info<NativeInfo>(fd, "a map");
        Info = new BpfMapInfo(native.Id, native.Name.ToString(), (BpfMapType)native.Type, (int)native.KeySize,
            (int)native.ValueSize, native.MaxEntries, (BpfMapFlags)native.Flags);
    }

    /// <summary>As it was when the map was opened; none of it changes.</summary>
    public BpfMapInfo Info { get; }

    internal FdHandle Handle => _fd;

    /// <summary>Bytes that the kernel charges for the map now; before Linux 6.4 its estimate, in whole pages.</summary>
    /// <exception cref="KernelException">The kernel does not report it.</exception>
    public long ReadMemory()
    {
        const string field = "memlock:";
        using var lease = _fd.Lease();
        foreach (var line in File.ReadLines($"/proc/self/fdinfo/{lease.Fd}"))
            if (line.StartsWith(field, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(field.Length).Trim(), CultureInfo.InvariantCulture);
        throw new KernelException($"read the memory of {this}", Errno.ENOENT, "the descriptor has no such field");
    }

    /// <exception cref="KernelException">The kernel refuses.</exception>
    public static BpfMap Create(BpfMapSpec spec) => Create(spec, innerMapFd: 0);

    private static BpfMap Create(BpfMapSpec spec, int innerMapFd)
    {
        ArgumentNullException.ThrowIfNull(spec);
        LockedMemory.Unlimit();
        var attributes = new MapCreateAttributes
        {
            Type = (uint)spec.Type,
            KeySize = (uint)spec.KeySize,
            ValueSize = (uint)spec.ValueSize,
            MaxEntries = spec.MaxEntries,
            Flags = (uint)spec.Flags,
            InnerMapFd = (uint)innerMapFd,
            Name = new BpfName(spec.Name),
        };
        var operation = $"create the map {spec.Name} ({spec.Type}, {spec.MaxEntries} entries)";
        var result = BpfSyscall.Invoke(BpfCommand.MapCreate, ref attributes);
        return result >= 0 ? Own(new FdHandle(result)) : throw new KernelException(operation, -result, LockedMemory.Hint(-result));
    }

    /// <exception cref="KernelException">ENOENT if nothing is pinned there; EINVAL if it is no map.</exception>
    public static BpfMap OpenPinned(string path) => Own(BpfFile.Open(path, BpfFile.Map));

    /// <returns>False if nothing is pinned there.</returns>
    /// <exception cref="KernelException">EINVAL if what is pinned there is no map.</exception>
    public static bool TryOpenPinned(string path, [NotNullWhen(true)] out BpfMap? map)
    {
        var fd = BpfFile.TryOpen(path, BpfFile.Map);
        map = fd is null ? null : Own(fd);
        return map is not null;
    }

    /// <summary>Keeps the map alive at <paramref name="path"/> in a bpffs until that file is deleted.</summary>
    /// <exception cref="KernelException">EEXIST if the path is taken.</exception>
    public void Pin(string path) => BpfFile.Pin(_fd, path);

    public void Dispose() => _fd.Dispose();

    public override string ToString() => $"{Info.Name} ({Info.Type}, id {Info.Id})";

    internal static BpfMap Own(FdHandle fd)
    {
        try
        {
            return new BpfMap(fd);
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    private KernelException Failure(string verb, int result, int written = 0) =>
        new($"{verb} the map {Info.Name}", -result, result == -Errno.E2BIG ? $"it is full at {Info.MaxEntries} entries" : null)
        {
            Written = written,
        };

    private unsafe void RequireSizes<TKey, TValue>() where TKey : unmanaged where TValue : unmanaged
    {
        RequireKey<TKey>();
        if (sizeof(TValue) != Info.ValueSize)
            throw new ArgumentException($"values of {this} have {Info.ValueSize} bytes, {typeof(TValue).Name} has {sizeof(TValue)}");
    }

    private unsafe void RequireKey<TKey>() where TKey : unmanaged
    {
        if (sizeof(TKey) != Info.KeySize)
            throw new ArgumentException($"keys of {this} have {Info.KeySize} bytes, {typeof(TKey).Name} has {sizeof(TKey)}");
    }

    /// <summary>The beginning of struct bpf_map_info.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct NativeInfo
    {
        public uint Type;
        public uint Id;
        public uint KeySize;
        public uint ValueSize;
        public uint MaxEntries;
        public uint Flags;
        public BpfName Name;
    }
}
