using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Interop;

/// <summary>A libbpf object. Its maps and programs are borrowed from it and freed with it.</summary>
internal sealed class BpfObjectHandle : SafeHandle
{
    public BpfObjectHandle(nint handle) : base(0, ownsHandle: true) => SetHandle(handle);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibBpf.CloseObject(handle);
        return true;
    }
}
