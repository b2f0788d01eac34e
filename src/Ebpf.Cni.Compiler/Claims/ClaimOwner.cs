using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Claims;

/// <summary>A Service, or a Pod with hostPorts: whose ports claim frontends; conflicts are its issues.</summary>
internal sealed class ClaimOwner(string kind, ObjectName name)
{
    public string Kind { get; } = kind;

    public ObjectName Name { get; } = name;

    /// <summary>Sorted by name.</summary>
    public PortSlot[] Ports { get; set; } = [];

    /// <summary>The last issue; null: all its claims hold.</summary>
    public CompileIssue? Conflict { get; set; }
}

/// <summary>The place of one service port, from compile to compile.</summary>
internal sealed class PortSlot(ServicePortName name, ClaimOwner owner)
{
    public ServicePortName Name { get; } = name;

    public ClaimOwner Owner { get; } = owner;

    /// <summary>As compiled last; null: it is no more.</summary>
    public CompiledPort? Compiled { get; set; }

    /// <summary>As it is in the state; null: it is served nowhere.</summary>
    public DesiredPort? Desired { get; set; }
}
