using System.Collections.Immutable;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// Devices on which another proxy keeps services' addresses: kube-proxy in its IPVS mode, and kube-router. They stay when it goes. What is on them is no address of the node's: a hostPort
/// there would answer for services, and the next service that gets the address would be a pod's. Pure.
/// </summary>
/// <param name="Name">Of the device.</param>
/// <param name="Addresses">How many it has.</param>
public sealed record ProxyLeftover(string Name, int Addresses)
{
    /// <summary>kube-proxy's (pkg/proxy/ipvs); --cleanup-kube-proxy removes it.</summary>
    public const string KubeProxy = "kube-ipvs0";

    private const string KubeRouter = "kube-dummy-if";

    public string Message =>
        $"{Name} holds {Addresses} addresses of services that another proxy has left there: they are not taken for this node's. "
        + (Name == KubeProxy ? $"--cleanup-kube-proxy removes it, or: ip link delete {Name}" : $"If that proxy runs no more: ip link delete {Name}");

    /// <summary>The facts without these devices, and which they are.</summary>
    public static (NodeNetworkState Facts, ImmutableArray<ProxyLeftover> Leftovers) Split(NodeNetworkState facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        var devices = facts.Links.Where(l => l.Name is KubeProxy or KubeRouter).ToList();
        if (devices.Count == 0)
            return (facts, []);
        var own = facts with
        {
            Links = facts.Links.RemoveRange(devices),
            Addresses = [.. facts.Addresses.Where(a => devices.TrueForAll(d => d.Index != a.Ifindex))],
            RoutedDevices = [.. facts.RoutedDevices.Where(i => devices.TrueForAll(d => d.Index != i))],
        };
        return (own, [.. devices.Select(d => new ProxyLeftover(d.Name, facts.Addresses.Count(a => a.Ifindex == d.Index && !a.Address.IsIPv6LinkLocal)))]);
    }
}
