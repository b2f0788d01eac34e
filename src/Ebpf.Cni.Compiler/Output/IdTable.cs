using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>
/// Service ids in use. After a start, the names of services are not known yet but the frontends in the kernel are: a service port
/// that compiles to a frontend found in <see cref="Restored"/> takes over its id. An id that a compile frees is not given out by that compile.
/// </summary>
public sealed record IdTable
{
    public static readonly IdTable Empty = new();

    public ImmutableDictionary<ServicePortName, uint> ByName { get; init; } = ImmutableDictionary<ServicePortName, uint>.Empty;

    /// <summary>What the kernel held at start; empty after the first compile.</summary>
    public ImmutableDictionary<SvcKey, uint> Restored { get; init; } = ImmutableDictionary<SvcKey, uint>.Empty;

    /// <summary>The next never-used id; 0 is reserved.</summary>
    public uint Next { get; init; } = 1;
}
