using System.Collections.Immutable;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// Devices on which another proxy keeps Service addresses: kube-proxy in IPVS mode, and kube-router. They outlive the proxy. Their
/// addresses are no node addresses: a hostPort there would answer for Services, and the next Service with that address would be a
/// pod's. Pure.
/// </summary>
/// <param name="Name">Of the device.</param>
/// <param name="Addresses">How many it has.</param>
public sealed record ProxyLeftover(string Name, int Addresses)
{
    /// <summary>kube-proxy's (pkg/proxy/ipvs); --cleanup-kube-proxy removes it.</summary>
    public const string KubeProxy = "kube-ipvs0";

    private const string KubeRouter = "kube-dummy-if";

    public string Message =>
        $"{Name} holds {Addresses} Service addresses left by another proxy; the agent does not treat them as node addresses. "
        + (Name == KubeProxy
            ? $"Remove it with the cleanup-kube-proxy option, or: ip link delete {Name}"
            : $"If that proxy no longer runs: ip link delete {Name}");

    /// <summary>The state without these devices, and the devices.</summary>
    public static (NodeNetworkState State, ImmutableArray<ProxyLeftover> Leftovers) Split(NodeNetworkState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var devices = state.Links.Where(l => l.Name is KubeProxy or KubeRouter).ToList();
        if (devices.Count == 0)
            return (state, []);
        var own = state with
        {
            Links = state.Links.RemoveRange(devices),
            Addresses = [.. state.Addresses.Where(a => devices.TrueForAll(d => d.Index != a.Ifindex))],
            RoutedDevices = [.. state.RoutedDevices.Where(i => devices.TrueForAll(d => d.Index != i))],
        };
        return (own, [.. devices.Select(d =>
            new ProxyLeftover(d.Name, state.Addresses.Count(a => a.Ifindex == d.Index && !a.Address.IsIPv6LinkLocal)))]);
    }
}
