using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Namespaces;

/// <summary>The number of a namespace that this process is in: two are the same if it is.</summary>
public static class NamespaceInode
{
    public static ulong OfProcesses() => LibC.Inode("/proc/self/ns/pid");
}
