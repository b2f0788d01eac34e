using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Prefixes with the nodes that they belong to. Pure.</summary>
internal static class IpcacheListing
{
    public static IpcacheAnswer Of(ImmutableArray<KeyValuePair<IpcacheKey, Ipcache>> kernel, KnownNames names, uint size, int limit) =>
        new()
    {
        Total = kernel.Length,
        Size = size,
        Prefixes = [.. kernel.OrderByDescending(e => e.Key.Addr.IsIPv4).ThenBy(e => e.Key.Addr).ThenBy(e => e.Key.Prefixlen).Take(limit)
            .Select(e => new PrefixLine
        {
            Prefix = AddressText.Prefix(e.Key.Addr, e.Key.Prefixlen),
            Kinds = [.. Enum.GetValues<IpcacheFlags>().Where(f => f != IpcacheFlags.None && e.Value.Flags.HasFlag(f))
                .Select(LabelText.Snake)],
            Node = names.Node(e.Key.Addr),
            Tunnel = e.Value.Ifindex == 0 ? null : e.Value.Tunnel.ToString(),
        })],
    };
}
