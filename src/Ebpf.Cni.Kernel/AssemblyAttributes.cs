using System.Runtime.CompilerServices;

// Every signature crosses into native code as it is written: no hidden marshalling.
[assembly: DisableRuntimeMarshalling]
[assembly: InternalsVisibleTo("Ebpf.Cni.Kernel.Tests")]
