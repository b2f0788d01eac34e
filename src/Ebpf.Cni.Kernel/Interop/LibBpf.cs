using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Interop;

/// <summary>
/// libbpf ≥ 1.1, used for what it alone does well: reading BPF ELF objects, relocating and loading them. Everything
/// after that is plain bpf(2), see <see cref="Bpf.BpfSyscall"/>. Functions that return a pointer return NULL, others a
/// negative error number.
/// </summary>
internal static unsafe partial class LibBpf
{
    private const string Library = "libbpf.so.1";

    /// <summary>Names the library's file where it is not on the loader's path.</summary>
    public const string PathVariable = "EBPF_CNI_LIBBPF";

    private static readonly Lock Gate = new();
    private static bool _ready;

    /// <summary>Finds the library; silences its prints to stderr (errors reach the caller as exceptions).</summary>
    /// <exception cref="DllNotFoundException">It is not installed; says how to get it.</exception>
    public static void EnsureLoaded()
    {
        lock (Gate)
        {
            if (_ready)
                return;
            var handle = Find(Environment.GetEnvironmentVariable(PathVariable));
            NativeLibrary.SetDllImportResolver(typeof(LibBpf).Assembly, (name, _, _) => name == Library ? handle : 0);
            SetPrint(0);
            _ready = true;
        }
    }

    internal static nint Find(string? configured)
    {
        if (NativeLibrary.TryLoad(string.IsNullOrEmpty(configured) ? Library : configured, out var handle))
            return handle;
        throw new DllNotFoundException(string.IsNullOrEmpty(configured)
            ? $"{Library} is missing: install it (Debian and Ubuntu: libbpf1; Fedora, Alpine: libbpf) or set {PathVariable} to its path"
            : $"{PathVariable} names '{configured}', which cannot be loaded as a library");
    }

    [LibraryImport(Library, EntryPoint = "libbpf_set_print")]
    private static partial nint SetPrint(nint function);

    [LibraryImport(Library, EntryPoint = "bpf_object__open_file", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint OpenObject(string path, nint options);

    [LibraryImport(Library, EntryPoint = "bpf_object__close")]
    public static partial void CloseObject(nint bpfObject);

    [LibraryImport(Library, EntryPoint = "bpf_object__load")]
    public static partial int LoadObject(BpfObjectHandle bpfObject);

    [LibraryImport(Library, EntryPoint = "bpf_object__btf")]
    public static partial nint ObjectBtf(BpfObjectHandle bpfObject);

    [LibraryImport(Library, EntryPoint = "btf__raw_data")]
    public static partial byte* BtfRawData(nint btf, uint* size);

    [LibraryImport(Library, EntryPoint = "bpf_object__next_map")]
    public static partial nint NextMap(BpfObjectHandle bpfObject, nint previous);

    [LibraryImport(Library, EntryPoint = "bpf_map__name")]
    public static partial byte* MapName(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__type")]
    public static partial uint MapType(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__key_size")]
    public static partial uint MapKeySize(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__value_size")]
    public static partial uint MapValueSize(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__max_entries")]
    public static partial uint MapMaxEntries(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__set_max_entries")]
    public static partial int SetMapMaxEntries(nint map, uint maxEntries);

    [LibraryImport(Library, EntryPoint = "bpf_map__map_flags")]
    public static partial uint MapFlags(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__btf_key_type_id")]
    public static partial uint MapKeyTypeId(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__btf_value_type_id")]
    public static partial uint MapValueTypeId(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_map__initial_value")]
    public static partial byte* MapInitialValue(nint map, nuint* size);

    [LibraryImport(Library, EntryPoint = "bpf_map__reuse_fd")]
    public static partial int ReuseMapFd(nint map, int fd);

    [LibraryImport(Library, EntryPoint = "bpf_map__fd")]
    public static partial int MapFd(nint map);

    [LibraryImport(Library, EntryPoint = "bpf_object__next_program")]
    public static partial nint NextProgram(BpfObjectHandle bpfObject, nint previous);

    [LibraryImport(Library, EntryPoint = "bpf_program__name")]
    public static partial byte* ProgramName(nint program);

    [LibraryImport(Library, EntryPoint = "bpf_program__fd")]
    public static partial int ProgramFd(nint program);

    [LibraryImport(Library, EntryPoint = "bpf_program__autoload")]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool ProgramAutoLoad(nint program);

    [LibraryImport(Library, EntryPoint = "bpf_program__set_autoload")]
    public static partial int SetProgramAutoLoad(nint program, [MarshalAs(UnmanagedType.U1)] bool on);

    [LibraryImport(Library, EntryPoint = "bpf_program__set_log_buf")]
    public static partial int SetProgramLog(nint program, byte* buffer, nuint size);
}
