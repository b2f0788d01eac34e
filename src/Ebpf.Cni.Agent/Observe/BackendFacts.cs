using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>
/// Counters of each backend of a service port: of finished connections, and of live ones as of the last garbage collection pass. Pure.
/// </summary>
internal sealed class BackendCounts
{
    private readonly IReadOnlyDictionary<StatKey, Stat> _ended, _live;

    private BackendCounts(IReadOnlyDictionary<StatKey, Stat> ended, IReadOnlyDictionary<StatKey, Stat> live) =>
        (_ended, _live) = (ended, live);

    public static BackendCounts Of(IReadOnlyDictionary<StatKey, Stat> ended, IReadOnlyDictionary<StatKey, Stat>? live) =>
        new(ended, live ?? new Dictionary<StatKey, Stat>());

    /// <summary>Connections are counted in the table when they begin: the live ones are among them.</summary>
    public Stat this[in Backend backend]
    {
        get
        {
            var key = new StatKey(backend.Addr, backend.ServiceId, backend.Port);
            var (e, l) = (_ended.GetValueOrDefault(key), _live.GetValueOrDefault(key));
            return new Stat(
                Math.Max(e.Connections, l.Connections), e.PacketsTo + l.PacketsTo, e.BytesTo + l.BytesTo, e.PacketsFrom + l.PacketsFrom,
                e.BytesFrom + l.BytesFrom);
        }
    }
}

/// <summary>What the slices say about an endpoint of a service.</summary>
/// <param name="Node">Null where the slice has none.</param>
/// <param name="Ready">New connections may go there.</param>
/// <param name="Terminating">Its pod is being deleted.</param>
internal sealed record EndpointFact(string? Node, bool Ready, bool Terminating)
{
    /// <summary>Of a service's endpoints, by address.</summary>
    public static IReadOnlyDictionary<Addr, EndpointFact> Of(ClusterSnapshot cluster, ObjectName service)
    {
        var endpoints = new Dictionary<Addr, EndpointFact>();
        foreach (var slice in cluster.EndpointSlices.Values)
        {
            if (slice.ServiceName != service.Name || slice.Name.Namespace != service.Namespace)
                continue;
            foreach (var endpoint in slice.Endpoints)
                foreach (var text in endpoint.Addresses)
                    if (IPAddress.TryParse(text, out var address))
                        endpoints[Addr.From(address)] = new EndpointFact(endpoint.NodeName, endpoint.Ready, endpoint.Terminating);
        }

        return endpoints;
    }

    /// <summary>Why a backend keeps what it has and gets nothing new.</summary>
    public static string Waning(EndpointFact? endpoint) => endpoint switch
    {
        null => "gone",
        { Terminating: true } => "terminating",
        { Ready: false } => "not ready",
        // It serves, and others are preferred: this zone's, this node's.
        _ => "not chosen",
    };
}
