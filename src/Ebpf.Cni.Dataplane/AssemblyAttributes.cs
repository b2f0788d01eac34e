using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Dataplane.Tests")]
