using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>What one pass over the connection table found.</summary>
/// <param name="Entries">Live ones; a connection has two.</param>
/// <param name="Reaped">Connections that were dead and are removed.</param>
/// <param name="ByState">Live connections (entries of what clients send) in each state; states without any are absent.</param>
/// <param name="Live">
/// Live connections to services by service port and backend, and what they have carried so far. What they carried is in
/// <see cref="Observe.ServiceStats"/> only when they have ended.
/// </param>
/// <param name="Usage">The tables'.</param>
public sealed record SweepResult(
    int Entries, int Reaped, ImmutableSortedDictionary<CtState, int> ByState, IReadOnlyDictionary<StatKey, Stat> Live,
    ConntrackUsage Usage);

/// <summary>How many connections a client has.</summary>
public readonly record struct ClientHolding(Addr Client, int Connections);

/// <summary>How many connections a service port has; 0 stands for masquerading alone.</summary>
public readonly record struct ServiceHolding(uint ServiceId, int Connections);

/// <summary>Who holds most connections, most first.</summary>
public sealed record ConntrackTop(ImmutableArray<ClientHolding> Clients, ImmutableArray<ServiceHolding> Services, ConntrackUsage Usage);
