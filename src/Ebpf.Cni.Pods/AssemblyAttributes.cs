using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Pods.Tests")]
[assembly: InternalsVisibleTo("Ebpf.Cni.Agent.Tests")]
