using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Dataplane.Tests")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Bpf.Tests")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Benchmarks")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Sync.Tests")]
