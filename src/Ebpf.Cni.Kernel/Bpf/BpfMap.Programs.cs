namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Arrays of programs.</content>
public sealed partial class BpfMap
{
    /// <summary>Sets the program that a tail call through this array reaches. The kernel empties the array with its last descriptor and pin.</summary>
    /// <exception cref="KernelException">EINVAL if the program's type or attachment is not that of the others and of the callers.</exception>
    public void SetProgram(uint index, BpfProgram program)
    {
        ArgumentNullException.ThrowIfNull(program);
        using var lease = program.Handle.Lease();
        Update(index, (uint)lease.Fd);
    }
}
