using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>
/// Service ids in use. After a start, the names of services are not known yet but the frontends in the kernel are: a service port
/// that compiles to a frontend found in <see cref="Restored"/> takes over its id. An id that a compile frees is not given out by that
/// compile.
/// </summary>
public sealed record IdTable
{
    public static readonly IdTable Empty = new();

    public ImmutableDictionary<ServicePortName, uint> ByName { get; init; } = ImmutableDictionary<ServicePortName, uint>.Empty;

    /// <summary>What the kernel held at start; empty after the first compile.</summary>
    public ImmutableDictionary<SvcKey, uint> Restored { get; init; } = ImmutableDictionary<SvcKey, uint>.Empty;

    /// <summary>The next never-used id; 0 is reserved.</summary>
    public uint Next { get; init; } = 1;

    /// <summary>By content.</summary>
    public bool Equals(IdTable? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Next == other.Next && Same(ByName, other.ByName) && Same(Restored, other.Restored));

    public override int GetHashCode() => HashCode.Combine(Next, ByName.Count, Restored.Count);

    private static bool Same<TKey>(ImmutableDictionary<TKey, uint> a, ImmutableDictionary<TKey, uint> b) where TKey : notnull =>
        ReferenceEquals(a, b) || (a.Count == b.Count && a.All(e => b.TryGetValue(e.Key, out var id) && id == e.Value));
}
