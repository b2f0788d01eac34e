using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Prefixes;

/// <summary>Prefixes, valid as long as the nodes and the context are the same.</summary>
internal sealed record CompiledPrefixes(ImmutableSortedDictionary<string, NodeSnapshot> Nodes, ImmutableArray<DesiredPrefix> Prefixes);

/// <summary>
/// What destinations are: the cluster's pods and nodes, and what the configuration exempts from masquerading. Malformed ranges and addresses are
/// the routes' issues (<see cref="Routes.RouteCompiler"/>). A podCIDR without a route is a range of pods all the same.
/// </summary>
internal static class PrefixCompiler
{
    public static CompiledPrefixes Compile(ImmutableSortedDictionary<string, NodeSnapshot> nodes, NodeContext context)
    {
        var found = new SortedDictionary<AddressRange, IpcacheFlags>();
        foreach (var node in nodes.Values)
        {
            foreach (var text in node.PodCidrs.IsDefault ? [] : node.PodCidrs)
                if (PodCidr.TryParse(text, out var cidr) && AddrClass.Special(cidr.Network) is null)
                    Add(found, cidr, IpcacheFlags.Pod, context);
            // Not the ExternalIPs: behind a cloud's gateway nobody would take a pod's address for a sender.
            AddAddresses(found, node.InternalIPs, context);
        }
        foreach (var exempt in context.MasqueradeExempt.IsDefault ? [] : context.MasqueradeExempt)
            if (Range(exempt) is { } range)
                Add(found, range, IpcacheFlags.Exempt, context);
        return new CompiledPrefixes(nodes, [.. found.Select(f => new DesiredPrefix(f.Key.Addr, f.Key.Length, f.Value))]);
    }

    private static void AddAddresses(SortedDictionary<AddressRange, IpcacheFlags> found, ImmutableArray<string> texts, NodeContext context)
    {
        foreach (var text in texts.IsDefault ? [] : texts)
            if (AddrText.TryParse(text, out var address) && AddrClass.Special(address) is null && context.Serves(address.IsIPv4))
                Add(found, AddressRange.Host(address), IpcacheFlags.Node);
    }

    private static void Add(SortedDictionary<AddressRange, IpcacheFlags> found, PodCidr range, IpcacheFlags flags, NodeContext context)
    {
        if (!context.Serves(range.IsIPv4))
            return;
        var pieces = new List<AddressRange>();
        AddressRange.Add(range, pieces);
        foreach (var piece in pieces)
            Add(found, piece, flags);
    }

    private static void Add(SortedDictionary<AddressRange, IpcacheFlags> found, AddressRange range, IpcacheFlags flags) =>
        found[range] = found.GetValueOrDefault(range) | flags;

    /// <summary>Null for the mapped form of IPv4, which nobody means.</summary>
    private static PodCidr? Range(IPNetwork network) => PodCidr.TryParse(network.ToString(), out var range) ? range : null;
}
