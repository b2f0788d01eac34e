using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>What each backend of a service port got: of connections that have ended, and of those that live as of the last sweep. Pure.</summary>
internal sealed class BackendCounts
{
    private readonly IReadOnlyDictionary<StatKey, Stat> _ended, _live;

    private BackendCounts(IReadOnlyDictionary<StatKey, Stat> ended, IReadOnlyDictionary<StatKey, Stat> live) => (_ended, _live) = (ended, live);

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
                Math.Max(e.Connections, l.Connections), e.PacketsTo + l.PacketsTo, e.BytesTo + l.BytesTo, e.PacketsFrom + l.PacketsFrom, e.BytesFrom + l.BytesFrom);
        }
    }
}

/// <summary>On which nodes a service's endpoints are, as its slices say.</summary>
internal static class BackendNodes
{
    public static IReadOnlyDictionary<Addr, string> Of(ClusterSnapshot cluster, ObjectName service)
    {
        var nodes = new Dictionary<Addr, string>();
        foreach (var slice in cluster.EndpointSlices.Values)
        {
            if (slice.ServiceName != service.Name || slice.Name.Namespace != service.Namespace)
                continue;
            foreach (var endpoint in slice.Endpoints)
                foreach (var text in endpoint.Addresses)
                    if (endpoint.NodeName is { } node && IPAddress.TryParse(text, out var address))
                        nodes[Addr.From(address)] = node;
        }

        return nodes;
    }
}
