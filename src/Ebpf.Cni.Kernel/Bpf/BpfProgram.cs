using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>A loaded program, held by a descriptor of its own: it lives until the last descriptor, pin and link of it are gone.</summary>
public sealed partial class BpfProgram : IDisposable
{
    private readonly FdHandle _fd;

    internal BpfProgram(FdHandle fd, string? name = null)
    {
        _fd = fd;
        var info = BpfFile.Info<NativeInfo>(fd, $"the program {name ?? "(unnamed)"}");
        Id = info.Id;
        Type = (BpfProgramType)info.Type;
        Name = name ?? info.Name.ToString();
        VerifiedInstructions = info.VerifiedInstructions;
    }

    public uint Id { get; }

    public BpfProgramType Type { get; }

    /// <summary>Its function's name; of an adopted program the first 15 characters.</summary>
    public string Name { get; }

    /// <summary>
    /// Instructions that the verifier went through, once for each state in which it met one: what loading costs. 0 before Linux 5.16, which
    /// does not report it.
    /// </summary>
    public uint VerifiedInstructions { get; }

    internal FdHandle Handle => _fd;

    /// <exception cref="KernelException">ENOENT if nothing is pinned there; EINVAL if it is no program.</exception>
    public static BpfProgram OpenPinned(string path) => Own(BpfFile.Open(path, BpfFile.Program));

    /// <returns>False if nothing is pinned there.</returns>
    public static bool TryOpenPinned(string path, [NotNullWhen(true)] out BpfProgram? program)
    {
        var fd = BpfFile.TryOpen(path, BpfFile.Program);
        program = fd is null ? null : Own(fd);
        return program is not null;
    }

    /// <summary>Keeps the program alive at <paramref name="path"/> in a bpffs until that file is deleted.</summary>
    public void Pin(string path) => BpfFile.Pin(_fd, path);

    public void Dispose() => _fd.Dispose();

    public override string ToString() => $"{Name} ({Type}, id {Id})";

    internal static BpfProgram Own(FdHandle fd, string? name = null)
    {
        try
        {
            return new BpfProgram(fd, name);
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    /// <summary>struct bpf_prog_info (an older kernel fills less). Pointers and counts stay zero: nothing is copied to them.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 224)]
    private struct NativeInfo
    {
        [FieldOffset(0)] public uint Type;
        [FieldOffset(4)] public uint Id;
        [FieldOffset(64)] public BpfName Name;
        [FieldOffset(216)] public uint VerifiedInstructions;
    }
}
