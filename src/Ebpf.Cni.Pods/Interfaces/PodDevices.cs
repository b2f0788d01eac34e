using System.Net;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// The node's sides of living pods' interfaces, by index, with what belongs to them: what happens to it matters. Thread-safe.
/// </summary>
public sealed class PodDevices
{
    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointKey, int> _indices = [];
    private readonly Dictionary<int, EndpointRecord> _pods = [];
    private readonly Dictionary<IPAddress, int> _addresses = [];

    public void Add(EndpointRecord endpoint, int ifindex)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        lock (_lock)
        {
            RemoveUnlocked(endpoint.Key);
            _indices[endpoint.Key] = ifindex;
            _pods[ifindex] = endpoint;
            foreach (var address in endpoint.Addresses)
                _addresses[IPAddress.Parse(address)] = ifindex;
        }
    }

    public void Remove(EndpointKey key)
    {
        lock (_lock)
            RemoveUnlocked(key);
    }

    public bool Contains(int ifindex)
    {
        lock (_lock)
            return _pods.ContainsKey(ifindex);
    }

    /// <summary>A pod of the agent's own has the address behind this interface.</summary>
    public bool Contains(int ifindex, IPAddress? address)
    {
        lock (_lock)
            return address is not null && _addresses.TryGetValue(address, out var owner) && owner == ifindex && IsOwn(owner);
    }

    /// <summary>The address, and nothing else, of a pod of the agent's own.</summary>
    public bool Contains(IPNetwork destination)
    {
        lock (_lock)
            return destination.PrefixLength == PodWiring.FullPrefix(destination.BaseAddress.AddressFamily)
                && _addresses.TryGetValue(destination.BaseAddress, out var owner) && IsOwn(owner);
    }

    /// <summary>Whether the interface's MAC address is another than the pod's table entries have.</summary>
    public bool HasOtherMac(int ifindex, byte[]? mac)
    {
        lock (_lock)
            return mac is not null && _pods.TryGetValue(ifindex, out var pod) && !mac.AsSpan().SequenceEqual(pod.HostMac);
    }

    private bool IsOwn(int ifindex) => _pods.TryGetValue(ifindex, out var pod) && pod.Foreign is null;

    private void RemoveUnlocked(EndpointKey key)
    {
        if (!_indices.Remove(key, out var ifindex) || !_pods.Remove(ifindex, out var pod))
            return;
        foreach (var address in pod.Addresses)
            if (_addresses.TryGetValue(IPAddress.Parse(address), out var owner) && owner == ifindex)
                _addresses.Remove(IPAddress.Parse(address));
    }
}
