using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Routes;

namespace Ebpf.Cni.Compiler.Prefixes;

/// <summary>Prefixes, valid as long as the nodes, the context and the cluster IPs on the node are the same.</summary>
internal sealed record CompiledPrefixes(
    ImmutableSortedDictionary<string, NodeSnapshot> Nodes, ImmutableArray<Addr> ClusterIPs, ImmutableArray<DesiredPrefix> Prefixes);

/// <summary>
/// What destinations are: the cluster's pods and nodes, and what the configuration exempts from masquerading. Malformed ranges and
/// addresses are the routes' issues (<see cref="RouteCompiler"/>). A podCIDR without a route is a range of pods all the same.
/// What is reached through a tunnel says so: pods' ranges, and the addresses of nodes whose pods are, since a pod's packet to a node
/// and the answer must not meet a network that knows no pods. What is this node's own, its pods' ranges and its addresses, is marked; no
/// tunnel leads to it, whatever else claims it.
/// </summary>
internal static class PrefixCompiler
{
    /// <summary>Prefixes so far; what a tunnel leads to has one, wherever else it is named.</summary>
    private sealed class Found : SortedDictionary<AddressRange, (IpcacheFlags Flags, Addr? Tunnel)>
    {
        public void Add(AddressRange range, IpcacheFlags flags, Addr? tunnel)
        {
            var known = this.GetValueOrDefault(range);
            this[range] = (known.Flags | flags, known.Tunnel ?? tunnel);
        }

        /// <summary>Of this node: what others say about a tunnel to it does not count.</summary>
        public void AddOwn(Addr address)
        {
            var range = AddressRange.Host(address);
            this[range] = (this.GetValueOrDefault(range).Flags | IpcacheFlags.Node | IpcacheFlags.Local, null);
        }

        public void Add(PodCidr range, IpcacheFlags flags, Addr? tunnel)
        {
            var pieces = new List<AddressRange>();
            AddressRange.Add(range, pieces);
            foreach (var piece in pieces)
                Add(piece, flags, tunnel);
        }
    }

    /// <param name="routes">Of the same nodes.</param>
    /// <param name="context">This node.</param>
    /// <param name="clusterIPs">Addresses of this node that are cluster IPs: they are services', not the node's.</param>
    public static CompiledPrefixes Compile(CompiledRoutes routes, NodeContext context, ImmutableArray<Addr> clusterIPs)
    {
        var found = new Found();
        foreach (var node in routes.Nodes.Values)
        {
            foreach (var text in node.PodCidrs.IsDefault ? [] : node.PodCidrs)
                if (PodCidr.TryParse(text, out var cidr) && AddrClass.Special(cidr.Network) is null && context.Serves(cidr.IsIPv4))
                    found.Add(cidr, node.Name == context.NodeName ? IpcacheFlags.Pod | IpcacheFlags.Local : IpcacheFlags.Pod,
                        Tunnel(cidr, routes.Ranges));
            // Not the ExternalIPs: behind a cloud's gateway a pod's address is no valid source.
            foreach (var text in node.InternalIPs.IsDefault ? [] : node.InternalIPs)
                if (AddrText.TryParse(text, out var address) && AddrClass.Special(address) is null && context.Serves(address.IsIPv4))
                    found.Add(AddressRange.Host(address), IpcacheFlags.Node, routes.Addresses.GetValueOrDefault(address));
        }
        foreach (var exempt in context.MasqueradeExempt.IsDefault ? [] : context.MasqueradeExempt)
            if (Range(exempt) is { } range && context.Serves(range.IsIPv4))
                found.Add(range, IpcacheFlags.Exempt, Tunnel(range, routes.Ranges));
        foreach (var own in context.NodeAddresses.IsDefault ? [] : context.NodeAddresses)
            if (AddrClass.Special(own) is null && context.Serves(own.IsIPv4) && !clusterIPs.Contains(own))
                found.AddOwn(own);
        return new CompiledPrefixes(routes.Nodes, clusterIPs,
            [.. found.Select(f => new DesiredPrefix(f.Key.Addr, f.Key.Length, f.Value.Flags, f.Value.Tunnel))]);
    }

    /// <summary>
    /// Of the range that counts and holds this one: itself, unless another node's precedes it. A narrower entry without the tunnel would be
    /// found first and hide it.
    /// </summary>
    private static Addr? Tunnel(PodCidr range, ImmutableArray<(PodCidr Range, Addr? Tunnel)> ranges)
    {
        // They are apart and in order: only the last that does not begin behind it can hold it.
        var (low, high) = (0, ranges.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (ranges[middle].Range <= range)
                low = middle + 1;
            else
                high = middle;
        }
        return low > 0 && ranges[low - 1].Range.Overlaps(range) && ranges[low - 1].Range.PrefixLength <= range.PrefixLength
            ? ranges[low - 1].Tunnel : null;
    }

    /// <summary>Null for the mapped form of IPv4, which is never intended.</summary>
    private static PodCidr? Range(IPNetwork network) => PodCidr.TryParse(network.ToString(), out var range) ? range : null;
}
