namespace Ebpf.Cni.Compiler;
public sealed class CompileCache { }
