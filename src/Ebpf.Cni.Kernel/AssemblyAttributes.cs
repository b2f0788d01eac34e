using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

// Every signature crosses into native code as it is written: no hidden marshalling.
[assembly: DisableRuntimeMarshalling]
[assembly: SupportedOSPlatform("linux")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Kernel.Tests")]
