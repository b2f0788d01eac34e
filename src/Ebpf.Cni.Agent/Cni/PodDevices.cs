using System.Collections.Concurrent;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>The node's sides of living pods' interfaces, by index: what happens to them matters. Thread-safe.</summary>
public sealed class PodDevices
{
    private readonly ConcurrentDictionary<EndpointKey, int> _devices = [];

    public void Add(EndpointKey key, int ifindex) => _devices[key] = ifindex;

    public void Remove(EndpointKey key) => _devices.TryRemove(key, out _);

    /// <summary>A node has at most some hundred pods.</summary>
    public bool Contains(int ifindex)
    {
        foreach (var (_, device) in _devices)
            if (device == ifindex)
                return true;
        return false;
    }
}
