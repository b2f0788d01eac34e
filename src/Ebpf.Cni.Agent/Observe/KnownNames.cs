using System.Collections.Frozen;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>
/// What numbers and addresses in the kernel's tables stand for, as far as the agent knows: pods of this node, nodes of the cluster, service
/// ports. Pure.
/// </summary>
public sealed class KnownNames
{
    private readonly IReadOnlyDictionary<uint, ServicePortName> _services;
    private readonly FrozenDictionary<Addr, string> _pods, _nodes;
    private readonly List<(IPNetwork Range, string Node)> _ranges = [];

    public KnownNames(IReadOnlyDictionary<uint, ServicePortName> services, IEnumerable<EndpointRecord> endpoints, ClusterSnapshot cluster)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(cluster);
        _services = services;
        var (pods, nodes) = (new Dictionary<Addr, string>(), new Dictionary<Addr, string>());
        foreach (var endpoint in endpoints)
            foreach (var address in Parse(endpoint.Addresses))
                pods[address] = endpoint.Pod;
        foreach (var node in cluster.Nodes.Values)
        {
            foreach (var address in Parse(node.InternalIPs.Concat(node.ExternalIPs)))
                nodes.TryAdd(address, node.Name);
            foreach (var text in node.PodCidrs)
                if (IPNetwork.TryParse(text, out var range))
                    _ranges.Add((range, node.Name));
        }

        (_pods, _nodes) = (pods.ToFrozenDictionary(), nodes.ToFrozenDictionary());
    }

    public ServicePortName? Service(uint id) => _services.TryGetValue(id, out var name) ? name : null;

    /// <summary>namespace/name of a pod on this node; "" for all others.</summary>
    public string Pod(Addr address) => _pods.GetValueOrDefault(address, "");

    /// <summary>The node whose address it is, or in whose podCIDRs; "" if there is none.</summary>
    public string Node(Addr address)
    {
        if (_nodes.TryGetValue(address, out var node))
            return node;
        var ip = address.ToIPAddress();
        return _ranges.Find(r => r.Range.Contains(ip)).Node ?? "";
    }

    private static IEnumerable<Addr> Parse(IEnumerable<string> addresses)
    {
        foreach (var text in addresses)
            if (IPAddress.TryParse(text, out var address))
                yield return Addr.From(address);
    }
}
