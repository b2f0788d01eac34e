using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>struct bpf_insn, 8 bytes: enough of an assembler for programs too small to need a compiler.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct BpfInstruction(byte Opcode, byte Registers, short Offset, int Immediate)
{
    private const byte MoveImmediate64 = 0xb7, CallHelper = 0x85, ExitProgram = 0x95;

    /// <summary>register = value</summary>
    public static BpfInstruction Move(int register, int value) => new(MoveImmediate64, (byte)register, 0, value);

    /// <summary>r0 = helper(r1 … r5); enum bpf_func_id.</summary>
    public static BpfInstruction Call(int helper) => new(CallHelper, 0, 0, helper);

    /// <summary>return r0</summary>
    public static BpfInstruction Exit => new(ExitProgram, 0, 0, 0);
}
