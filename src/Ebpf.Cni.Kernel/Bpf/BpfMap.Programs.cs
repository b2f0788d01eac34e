namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Arrays of programs.</content>
public sealed partial class BpfMap
{
    /// <summary>Sets an element of a program array, for tail calls. The kernel clears the array with its last descriptor or pin.</summary>
    /// <exception cref="KernelException">E2BIG if the index is out of range; EINVAL if the program's type differs.</exception>
    public void SetProgram(uint index, BpfProgram program)
    {
        ArgumentNullException.ThrowIfNull(program);
        using var lease = program.Handle.Lease();
        Update(index, (uint)lease.Fd);
    }
}
