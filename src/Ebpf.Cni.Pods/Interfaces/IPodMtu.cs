namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>The MTU of pods. Thread-safe.</summary>
public interface IPodMtu
{
    /// <summary>Bytes; of new pods.</summary>
    /// <exception cref="Kernel.KernelException">It is asked of the node's interfaces, and they cannot be read.</exception>
    int Value { get; }

    /// <summary>Completes at the first change of <see cref="Value"/> after this was read.</summary>
    Task Changed { get; }
}
