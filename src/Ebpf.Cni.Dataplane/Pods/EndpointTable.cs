using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Pods;

/// <summary>
/// <c>ebc_ep_v1</c>: who may send from which address, and how to deliver to it; and <c>ebc_netns_v1</c>: whose a socket is that has no
/// address yet. The caller owns the addresses: the last put of one wins. Thread-safe.
/// </summary>
public sealed class EndpointTable : IDisposable
{
    private readonly Lock _lock = new();
    private readonly BpfMap _map;
    private readonly BpfMap? _netns;

    /// <summary>What <c>ebc_netns_v1</c> holds, by address.</summary>
    private readonly Dictionary<Addr, ulong> _cookies = [];

    /// <param name="map">ebc_ep_v1; owned, as the other.</param>
    /// <param name="netns">ebc_netns_v1; null without socket hooks, which alone read it.</param>
    internal EndpointTable(BpfMap map, BpfMap? netns)
    {
        _map = map;
        _netns = netns;
        if (netns is null)
            return;
        foreach (var (key, value) in netns.ReadAll<NetnsKey, Netns>())
            Learn(value, key.Cookie);
    }

    /// <summary>Adds or replaces a pod's addresses: all of them, or none that was not there before.</summary>
    /// <exception cref="DataplaneException">The table is full; names the option.</exception>
    public void Put(PodEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var value = endpoint.ToEntry();
        lock (_lock)
        {
            var added = new List<EpKey>();
            try
            {
                foreach (var key in endpoint.Addresses.Select(a => new EpKey(a)))
                {
                    var isNew = !_map.TryLookup(key, out Ep _);
                    _map.Update(key, value);
                    if (isNew)
                        added.Add(key);
                }
                PutNamespace(endpoint);
            }
            catch (KernelException e)
            {
                foreach (var undo in added)
                    _map.Delete(undo);
                if (e.Errno != Errno.E2BIG)
                    throw;
                throw new DataplaneException(
                    $"endpoint {endpoint.Id}: table {MapNames.Endpoint} is full at {_map.Info.MaxEntries} addresses. "
                    + $"Raise the {TableLimits.EndpointOption} option.", e);
            }
        }
    }

    /// <summary>Removes addresses; absent ones are no error.</summary>
    /// <param name="addresses">Of one pod or of many.</param>
    /// <param name="owner">Only where they are this pod's; null: whosever they are.</param>
    /// <returns>How many were there.</returns>
    public int Remove(IEnumerable<Addr> addresses, uint? owner = null)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        lock (_lock)
        {
            var all = addresses.Where(a => owner is null || (_map.TryLookup(new EpKey(a), out Ep entry) && entry.Id == owner)).ToList();
            Forget(all);
            return all.Count(a => _map.Delete(new EpKey(a)));
        }
    }

    /// <summary>All pods, by id; their addresses in ascending order (IPv6 with leading zeros before IPv4, as bytes sort).</summary>
    public ImmutableArray<PodEndpoint> List()
    {
        lock (_lock)
            return [.. _map.ReadAll<EpKey, Ep>()
                .GroupBy(e => e.Value, e => e.Key.Addr)
                .OrderBy(g => g.Key.Id)
                .Select(Pod)];
    }

    /// <summary>A pod by its addresses, without a look at others: those of them that are its own. Null where none is.</summary>
    /// <param name="id">The pod's.</param>
    /// <param name="addresses">That it should have.</param>
    public PodEndpoint? Find(uint id, IEnumerable<Addr> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        lock (_lock)
            return addresses.Select(a => (Found: _map.TryLookup(new EpKey(a), out Ep entry) && entry.Id == id, Entry: entry, Addr: a))
                .Where(e => e.Found)
                .GroupBy(e => e.Entry, e => e.Addr).Select(Pod).FirstOrDefault();
    }

    /// <summary>Counts by reading: for metrics, not for hot paths.</summary>
    public TableUsage Usage() => new(MapNames.Endpoint, (uint)_map.ReadAll<EpKey, Ep>().Count, _map.Info.MaxEntries);

    public void Dispose()
    {
        _map.Dispose();
        _netns?.Dispose();
    }

    private PodEndpoint Pod(IGrouping<Ep, Addr> entry) => new(
        entry.Key.Id,
        (int)entry.Key.Ifindex,
        entry.Key.PodMac,
        entry.Key.HostMac,
        [.. entry.Order()],
        entry.Select(a => _cookies.GetValueOrDefault(a)).Max())
    {
        Queued = (entry.Key.Flags & EpFlags.Queued) != 0,
    };

    private void PutNamespace(PodEndpoint endpoint)
    {
        if (_netns is null)
            return;
        if (endpoint.NetnsCookie == 0)
        {
            Forget(endpoint.Addresses);
            return;
        }
        // An address that was another namespace's: that one's entry would lie about it.
        Forget(endpoint.Addresses.Where(a => _cookies.TryGetValue(a, out var cookie) && cookie != endpoint.NetnsCookie));
        var value = endpoint.ToNetns();
        _netns.Update(new NetnsKey(endpoint.NetnsCookie), value);
        Learn(value, endpoint.NetnsCookie);
    }

    private void Learn(in Netns value, ulong cookie)
    {
        if (value.V4 != default)
            _cookies[value.V4] = cookie;
        if (value.V6 != default)
            _cookies[value.V6] = cookie;
    }

    /// <summary>A namespace goes with the first of its addresses: a pod loses all at once.</summary>
    private void Forget(IEnumerable<Addr> addresses)
    {
        foreach (var cookie in addresses.Select(a => _cookies.GetValueOrDefault(a)).Where(c => c != 0).Distinct().ToList())
        {
            _netns?.Delete(new NetnsKey(cookie));
            foreach (var address in _cookies.Where(c => c.Value == cookie).Select(c => c.Key).ToList())
                _cookies.Remove(address);
        }
    }
}
