using System.Net;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Agent.Node;

/// <summary>
/// The MTU that pods get: what fits through the uplink, which is the default route's device; on a node without one, the smallest of the
/// devices that are up and have an address.
/// </summary>
public sealed class UplinkMtu(int configured, TimeProvider time)
{
    /// <summary>Ethernet's, where no device tells.</summary>
    public const int Default = 1500;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10);
    private readonly Lock _lock = new();
    private long _readAt;
    private int _value;

    public int Value
    {
        get
        {
            if (configured > 0)
                return configured;
            lock (_lock)
            {
                if (_value == 0 || time.GetElapsedTime(_readAt) > Lifetime)
                    (_value, _readAt) = (Read(), time.GetTimestamp());
                return _value;
            }
        }
    }

    private static int Read()
    {
        using var netlink = RouteNetlink.Open();
        var links = netlink.Links().Where(l => l.Up && !l.Name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal)).ToList();
        var defaults = netlink.Routes().Where(r => r.Destination.PrefixLength == 0 && r.Ifindex != 0)
            .OrderBy(r => r.Metric ?? 0).Select(r => r.Ifindex);
        if (defaults.Select(i => links.Find(l => l.Index == i)).FirstOrDefault(l => l is not null) is { Mtu: > 0 } uplink)
            return uplink.Mtu;
        var addressed = netlink.Addresses()
            .Where(a => !IPAddress.IsLoopback(a.Address) && !a.Address.IsIPv6LinkLocal).Select(a => a.Ifindex).ToHashSet();
        return links.Where(l => addressed.Contains(l.Index) && l.Mtu > 0).Select(l => l.Mtu).DefaultIfEmpty(Default).Min();
    }
}
