using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Loading from instructions, for programs without an object file.</content>
public sealed partial class BpfProgram
{
    private const int LogBytes = 64 * 1024;

    /// <param name="name">At most 15 characters are kept.</param>
    /// <param name="attachType">What socket-address programs are for; others leave it out.</param>
    /// <exception cref="BpfLoadException">The verifier refuses; carries its words.</exception>
    public static BpfProgram Load(
        string name, BpfProgramType type, ReadOnlySpan<BpfInstruction> instructions, BpfAttachType attachType = 0)
    {
        var result = TryLoad(name, type, instructions, attachType, null);
        if (result >= 0)
            return Own(new FdHandle(result), name);
        // the log costs time: ask for it only to explain a failure
        var log = new byte[LogBytes];
        result = TryLoad(name, type, instructions, attachType, log);
        return result >= 0 ? Own(new FdHandle(result), name) : throw new BpfLoadException(name, -result, VerifierLog.Text(log));
    }

    private static unsafe int TryLoad(
        string name, BpfProgramType type, ReadOnlySpan<BpfInstruction> instructions, BpfAttachType attachType, byte[]? log)
    {
        LockedMemory.Unlimit();
        fixed (BpfInstruction* code = instructions)
        fixed (byte* license = "GPL\0"u8)
        fixed (byte* logPointer = log)
        {
            var attributes = new ProgramLoadAttributes
            {
                Type = (uint)type,
                InstructionCount = (uint)instructions.Length,
                Instructions = code,
                License = license,
                LogLevel = log is null ? 0u : 1u,
                LogSize = (uint)(log?.Length ?? 0),
                Log = logPointer,
                Name = new BpfName(name),
                ExpectedAttachType = (uint)attachType,
            };
            return BpfSyscall.Invoke(BpfCommand.ProgramLoad, ref attributes);
        }
    }
}
