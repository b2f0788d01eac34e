using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler;

public static class ClusterCompiler
{
    public static DesiredState Compile(ClusterSnapshot cluster, NodeContext node, IdTable ids, CompileCache? cache = null) => DesiredState.Empty;
}
