using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Agent.Tests")]
