using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Ebpf.Cni.Cli.Tests")]
