using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// A program at its hook. Without a pin the hook is left when the link is disposed; with one it stays until the pin's
/// file is deleted or <see cref="Detach"/> is called. Made with bpf(2) itself: libbpf 1.1 knows no tcx.
/// </summary>
public sealed class BpfLink : IDisposable
{
    private readonly FdHandle _fd;

    private BpfLink(FdHandle fd) => _fd = fd;

    /// <summary>As it is now: the kernel zeroes the interface of a link whose device is gone.</summary>
    public BpfLinkInfo Info => BpfLinkInfo.From(BpfFile.Info<BpfLinkInfo.Native>(_fd, "a link"));

    /// <param name="program">Loaded for the same hook (its section says cgroup/connect4 and so on).</param>
    /// <param name="cgroupPath">A directory of a cgroup v2 file system; the hook covers it and all below.</param>
    public static BpfLink AttachCgroup(BpfProgram program, string cgroupPath, CgroupAttach type)
    {
        using var cgroup = LibC.OpenFile(cgroupPath, LibC.O_RDONLY | LibC.O_DIRECTORY);
        using var target = cgroup.Lease();
        return Create(program, (uint)target.Fd, (BpfAttachType)type, 0, $"to {type} of the cgroup {cgroupPath}");
    }

    /// <summary>Appends to the interface's tcx programs; the next one runs if this returns TCX_NEXT (-1).</summary>
    /// <exception cref="KernelException">
    /// EINVAL before Linux 6.6: use <see cref="ClsactFilter"/>; ENODEV without that interface.
    /// </exception>
    public static BpfLink AttachTcx(BpfProgram program, int ifindex, TcDirection direction)
    {
        var type = direction == TcDirection.Ingress ? BpfAttachType.TcxIngress : BpfAttachType.TcxEgress;
        return Create(program, (uint)ifindex, type, 0, $"to tcx {direction} of interface {ifindex}");
    }

    /// <exception cref="KernelException">EBUSY if the interface has another XDP program.</exception>
    public static BpfLink AttachXdp(BpfProgram program, int ifindex, XdpMode mode = XdpMode.Default) =>
        Create(program, (uint)ifindex, BpfAttachType.Xdp, (uint)mode, $"to XDP of interface {ifindex}");

    /// <exception cref="KernelException">ENOENT if nothing is pinned there; EINVAL if it is no link.</exception>
    public static BpfLink OpenPinned(string path) => new(BpfFile.Open(path, BpfFile.Link));

    /// <returns>False if nothing is pinned there.</returns>
    /// <exception cref="KernelException">EINVAL if what is pinned there is no link.</exception>
    public static bool TryOpenPinned(string path, [NotNullWhen(true)] out BpfLink? link)
    {
        var fd = BpfFile.TryOpen(path, BpfFile.Link);
        link = fd is null ? null : new BpfLink(fd);
        return link is not null;
    }

    /// <summary>Keeps the program attached after this process, until the file at <paramref name="path"/> is deleted.</summary>
    public void Pin(string path) => BpfFile.Pin(_fd, path);

    /// <summary>Puts another program in place; every packet meets the old one or the new one.</summary>
    /// <exception cref="KernelException">ENOLINK if the hook is gone (its device or cgroup was deleted).</exception>
    public void Update(BpfProgram newProgram)
    {
        ArgumentNullException.ThrowIfNull(newProgram);
        using var link = _fd.Lease();
        using var program = newProgram.Handle.Lease();
        var attributes = new LinkUpdateAttributes { LinkFd = (uint)link.Fd, NewProgramFd = (uint)program.Fd };
        var result = BpfSyscall.Invoke(BpfCommand.LinkUpdate, ref attributes);
        if (result < 0)
            throw new KernelException($"replace the program of a link by {newProgram.Name}", -result);
    }

    /// <summary>Leaves the hook although pins and descriptors remain; done twice it does nothing.</summary>
    public void Detach()
    {
        using var link = _fd.Lease();
        var attributes = new LinkDetachAttributes { LinkFd = (uint)link.Fd };
        var result = BpfSyscall.Invoke(BpfCommand.LinkDetach, ref attributes);
        if (result is not (>= 0 or -Errno.ENOLINK))
            throw new KernelException("detach a link", -result);
    }

    public void Dispose() => _fd.Dispose();

    private static BpfLink Create(BpfProgram program, uint target, BpfAttachType type, uint flags, string where)
    {
        ArgumentNullException.ThrowIfNull(program);
        using var lease = program.Handle.Lease();
        var attributes = new LinkCreateAttributes
        {
            ProgramFd = (uint)lease.Fd,
            Target = target,
            AttachType = (uint)type,
            Flags = flags,
        };
        return new BpfLink(BpfSyscall.InvokeForFd(BpfCommand.LinkCreate, ref attributes, $"attach {program.Name} {where}"));
    }
}

/// <summary>What the kernel says of a link.</summary>
/// <param name="ProgramId">The program in place.</param>
/// <param name="Ifindex">tcx and XDP: the interface; 0 if it is gone.</param>
/// <param name="CgroupId">Cgroup links: see <see cref="Host.CgroupDirectory.Id"/>; 0 if it is gone.</param>
/// <param name="AttachType">tcx and cgroup links.</param>
public sealed record BpfLinkInfo(uint Id, BpfLinkType Type, uint ProgramId, int Ifindex, ulong CgroupId, BpfAttachType? AttachType)
{
    internal static BpfLinkInfo From(in Native native) => (BpfLinkType)native.Type switch
    {
        BpfLinkType.Cgroup =>
            new(native.Id, BpfLinkType.Cgroup, native.ProgramId, 0, native.CgroupId, (BpfAttachType)native.CgroupAttachType),
        BpfLinkType.Tcx => new(native.Id, BpfLinkType.Tcx, native.ProgramId, (int)native.Ifindex, 0, (BpfAttachType)native.TcxAttachType),
        BpfLinkType.Xdp => new(native.Id, BpfLinkType.Xdp, native.ProgramId, (int)native.Ifindex, 0, BpfAttachType.Xdp),
        var other => new(native.Id, other, native.ProgramId, 0, 0, null),
    };

    /// <summary>struct bpf_link_info; after the first three fields a union by type.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 32)]
    internal struct Native
    {
        [FieldOffset(0)] public uint Type;
        [FieldOffset(4)] public uint Id;
        [FieldOffset(8)] public uint ProgramId;
        [FieldOffset(16)] public ulong CgroupId;
        [FieldOffset(24)] public uint CgroupAttachType;
        [FieldOffset(16)] public uint Ifindex;
        [FieldOffset(20)] public uint TcxAttachType;
    }
}
