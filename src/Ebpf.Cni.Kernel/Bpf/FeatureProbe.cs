using Ebpf.Cni.Kernel.Sockets;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// The trials. A program is present if the verifier takes it; a map, if it can be made; a link, if the kernel complains of
/// the target (which does not exist) and not of the request.
/// </summary>
internal static class FeatureProbe
{
    private const int HelperNetnsCookie = 122, HelperRedirectPeer = 155, HelperCoarseClock = 160, HelperSetRetval = 187;
    private const int NoSuchInterface = int.MaxValue;

    private static readonly BpfInstruction[] Nothing = [BpfInstruction.Move(0, 1), BpfInstruction.Exit];

    public static bool Tcx()
    {
        using var program = BpfProgram.Load("ebc_probe", BpfProgramType.TrafficClassifier, Nothing);
        return LinkFailsWith(Errno.ENODEV, () => BpfLink.AttachTcx(program, NoSuchInterface, TcDirection.Ingress));
    }

    public static bool CgroupLinks()
    {
        using var program = BpfProgram.Load("ebc_probe", BpfProgramType.CgroupSockAddr, Nothing, BpfAttachType.Connect4);
        // a directory, but of no cgroup
        return LinkFailsWith(Errno.EBADF, () => BpfLink.AttachCgroup(program, "/proc", CgroupAttach.Connect4));
    }

    public static bool RedirectPeer() => Loads(BpfProgramType.TrafficClassifier, 0,
    [
        BpfInstruction.Move(1, 1),
        BpfInstruction.Move(2, 0),
        BpfInstruction.Call(HelperRedirectPeer),
        BpfInstruction.Exit,
    ]);

    public static bool SetRetval() => Loads(BpfProgramType.CgroupSockAddr, BpfAttachType.Connect4,
    [
        BpfInstruction.Move(1, -Errno.EPERM),
        BpfInstruction.Call(HelperSetRetval),
        BpfInstruction.Move(0, 0),
        BpfInstruction.Exit,
    ]);

    public static bool NetnsCookie() => Loads(BpfProgramType.CgroupSockAddr, BpfAttachType.Connect4,
    [
        BpfInstruction.Call(HelperNetnsCookie), // its argument, the context, is in r1 already
        BpfInstruction.Move(0, 1),
        BpfInstruction.Exit,
    ]);

    public static bool CoarseClock() => Loads(BpfProgramType.TrafficClassifier, 0,
    [
        BpfInstruction.Call(HelperCoarseClock),
        BpfInstruction.Move(0, 0),
        BpfInstruction.Exit,
    ]);

    public static bool BatchOps()
    {
        using var map = BpfMap.Create(new BpfMapSpec("ebc_probe", BpfMapType.Hash, sizeof(uint), sizeof(uint), 2));
        map.UpdateBatch<uint, uint>([1, 2], [1, 2]);
        return map.BatchesWork;
    }

    public static bool RingBuffer() => Creates(new("ebc_probe", BpfMapType.RingBuffer, 0, 0, (uint)Environment.SystemPageSize));

    public static bool MappableArrays() =>
        Creates(new("ebc_probe", BpfMapType.Array, sizeof(uint), sizeof(ulong), 1, BpfMapFlags.MemoryMappable));

    public static bool SocketDestroy()
    {
        using var sockets = SocketDiagnostics.Open();
        return sockets.CanDestroyUdp();
    }

    private static bool LinkFailsWith(int errno, Func<BpfLink> attach)
    {
        try
        {
            attach().Dispose();
            return true;
        }
        catch (KernelException e)
        {
            return e.Errno == errno;
        }
    }

    private static bool Loads(BpfProgramType type, BpfAttachType attachType, BpfInstruction[] instructions)
    {
        try
        {
            BpfProgram.Load("ebc_probe", type, instructions, attachType).Dispose();
            return true;
        }
        catch (BpfLoadException e) when (e.Errno is not (Errno.EPERM or Errno.ENOMEM))
        {
            return false;
        }
    }

    private static bool Creates(BpfMapSpec spec)
    {
        try
        {
            BpfMap.Create(spec).Dispose();
            return true;
        }
        catch (KernelException e) when (e.Errno is not (Errno.EPERM or Errno.ENOMEM))
        {
            return false;
        }
    }
}
