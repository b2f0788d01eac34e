using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Sandbox.Tests")]
