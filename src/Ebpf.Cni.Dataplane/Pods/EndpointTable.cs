using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Pods;

/// <summary>
/// <c>ebc_ep_v1</c>: who may send from which address, and how to deliver to it. The caller owns the addresses: the last put of one wins. Thread-safe.
/// </summary>
public sealed class EndpointTable : IDisposable
{
    private readonly Lock _lock = new();
    private readonly BpfMap _map;

    internal EndpointTable(BpfMap map) => _map = map;

    /// <summary>Adds or replaces a pod's addresses: all of them, or none that was not there before.</summary>
    /// <exception cref="DataplaneException">The table is full; names the option.</exception>
    public void Put(PodEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var value = endpoint.ToEntry();
        lock (_lock)
        {
            var added = new List<EpKey>();
            foreach (var key in endpoint.Addresses.Select(a => new EpKey(a)))
            {
                var isNew = !_map.TryLookup(key, out Ep _);
                try
                {
                    _map.Update(key, value);
                }
                catch (KernelException e)
                {
                    foreach (var undo in added)
                        _map.Delete(undo);
                    if (e.Errno != Errno.E2BIG)
                        throw;
                    throw new DataplaneException(
                        $"endpoint {endpoint.Id}: table {MapNames.Endpoint} is full at {_map.Info.MaxEntries} addresses. Raise {TableLimits.EndpointOption}.", e);
                }
                if (isNew)
                    added.Add(key);
            }
        }
    }

    /// <summary>Removes addresses; absent ones are no error.</summary>
    /// <returns>How many were there.</returns>
    public int Remove(IEnumerable<Addr> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        lock (_lock)
            return addresses.Count(a => _map.Delete(new EpKey(a)));
    }

    /// <summary>All pods, by id; their addresses in ascending order (IPv6 with leading zeros before IPv4, as bytes sort).</summary>
    public ImmutableArray<PodEndpoint> List()
    {
        lock (_lock)
            return [.. _map.ReadAll<EpKey, Ep>()
                .GroupBy(e => e.Value, e => e.Key.Addr)
                .OrderBy(g => g.Key.Id)
                .Select(g => new PodEndpoint(g.Key.Id, (int)g.Key.Ifindex, g.Key.PodMac, g.Key.HostMac, [.. g.Order()]))];
    }

    /// <summary>Counts by reading: for metrics, not for hot paths.</summary>
    public TableUsage Usage() => new(MapNames.Endpoint, (uint)_map.ReadAll<EpKey, Ep>().Count, _map.Info.MaxEntries);

    public void Dispose() => _map.Dispose();
}
