using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Sync.Tests")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Agent.Tests")]
