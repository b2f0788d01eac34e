using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Plugin.Protocol;

namespace Ebpf.Cni.Agent.Ipam;

/// <summary>
/// Addresses and endpoints, held in memory and on disk. An address is written to its endpoint's file before anybody sees it, and
/// written down as resting before that file goes: killed anywhere, the next start neither gives an address out twice nor loses one.
/// </summary>
public sealed partial class AddressStore : IAddressStore
{
    private readonly Lock _lock = new();
    private readonly EndpointFiles _files;
    private readonly TimeSpan _rest;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Dictionary<EndpointKey, EndpointRecord> _records = [];
    private readonly HashSet<uint> _numbers = [];
    private readonly Dictionary<AddressFamily, Addr> _last = [];
    private AddressPool[] _pools = [];

    /// <summary>Those without ranges too: addresses of a family that the node has lost are still released, and rest.</summary>
    private AddressPool[] _allPools = [];
    private IReadOnlyList<PodCidr> _ranges = [];
    private uint _lastNumber;
    private readonly TaskCompletionSource _rangesKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public AddressStore(EndpointFiles files, TimeSpan rest, TimeProvider time, ILogger<AddressStore> log)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        (_files, _rest, _time, _log) = (files, rest, time, log);
        var records = files.ReadAll(out var bad);
        foreach (var record in records)
            Remember(record);
        _lastNumber = _numbers.DefaultIfEmpty().Max();
        var pool = files.ReadPool(out var badPool);
        foreach (var file in bad)
            Log.BadFile(log, file.Path, file.Cause);
        if (badPool is not null)
            Log.BadPool(log, badPool.Path, badPool.Cause);
        // The clock may have been set back since (a machine without one of its own, before the network tells it).
        var latest = time.GetUtcNow() + rest;
        foreach (var address in Parse(pool.Last))
            _last[address.Family] = address;
        Rebuild(
            [.. pool.PodCidrs.Where(c => PodCidr.TryParse(c, out _)).Select(PodCidr.Parse)],
            [.. pool.Resting.Where(r => r is not null).SelectMany(r => Parse([r.Address]).Select(a => new RestingAddress(a, r.Until < latest ? r.Until : latest)))]);
    }

    /// <summary>The ports of the node that lead to pods may be others now. Called inside the lock: only take note of it.</summary>
    public event Action? HostPortsChanged;

    public IReadOnlyCollection<EndpointRecord> All
    {
        get
        {
            lock (_lock)
                return [.. _records.Values];
        }
    }

    public bool HasRanges
    {
        get
        {
            lock (_lock)
                return _ranges.Count > 0;
        }
    }

    /// <summary>As last known: of the API, or of the agent before.</summary>
    public IReadOnlyList<PodCidr> Ranges
    {
        get
        {
            lock (_lock)
                return _ranges;
        }
    }

    /// <summary>Completes when the node's podCIDRs are known.</summary>
    public Task RangesKnown => _rangesKnown.Task;

    /// <summary>Addresses in use and the number that the ranges can give, by family; for metrics.</summary>
    public IReadOnlyList<(AddressFamily Family, int InUse, double Capacity)> Usage
    {
        get
        {
            lock (_lock)
                return [.. _pools.Select(p => (p.Family, p.InUse.Count, (double)p.Capacity))];
        }
    }

    /// <summary>Addresses that were released and may not be used yet, by family; for metrics.</summary>
    public IReadOnlyList<(AddressFamily Family, int Resting)> AtRest
    {
        get
        {
            lock (_lock)
                return [.. _pools.Select(p => (p.Family, p.Count(_time.GetUtcNow()).Resting))];
        }
    }

    public EndpointRecord? Find(EndpointKey key)
    {
        lock (_lock)
            return _records.GetValueOrDefault(key);
    }

    /// <summary>
    /// The node's podCIDRs as the API tells them. What is in use stays in use, in a range or not. An empty list is taken for "not known":
    /// the last known ranges stay.
    /// </summary>
    public void SetRanges(IReadOnlyList<PodCidr> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        lock (_lock)
        {
            if (ranges.Count == 0 || ranges.SequenceEqual(_ranges))
                return;
            Rebuild(ranges, Resting());
            TrySavePool();
        }
    }

    public async Task WaitForRangesAsync(TimeSpan limit, CancellationToken cancel)
    {
        try
        {
            await RangesKnown.WaitAsync(limit, _time, cancel);
        }
        catch (TimeoutException e)
        {
            throw new CniException(
                CniErrorCode.TryAgainLater, "this node has no podCIDR yet", "spec.podCIDRs of the Node object is empty or not yet known", e);
        }
    }

    public EndpointRecord Reserve(EndpointKey key, string netns, string pod, IReadOnlyList<Addr> asked)
    {
        ArgumentNullException.ThrowIfNull(asked);
        lock (_lock)
        {
            if (_records.Values.FirstOrDefault(r => r.Key.Hash == key.Hash) is { } other)
                throw new CniException(CniErrorCode.Internal, $"{key} and {other.Key} have the same hash, or the first is here already");
            var addresses = new List<Addr>();
            try
            {
                foreach (var strange in asked.Where(a => PoolOf(a) is null))
                    throw NotAvailable(strange, "this node has no podCIDR of its family");
                foreach (var pool in _pools)
                    addresses.Add(asked.Any(a => a.Family == pool.Family) ? Take(pool, asked.First(a => a.Family == pool.Family)) : Allocate(pool));
                var record = new EndpointRecord
                {
                    ContainerId = key.ContainerId, Ifname = key.Ifname, Netns = netns, Pod = pod,
                    Number = NextNumber(), Addresses = [.. addresses.Select(a => a.ToString())],
                };
                _files.Write(record);
                Remember(record);
                return record;
            }
            catch (Exception e)
            {
                foreach (var address in addresses)
                    PoolOf(address)?.Forget(address);
                throw e is IOException or UnauthorizedAccessException
                    ? new CniException(CniErrorCode.Internal, "the endpoint cannot be written to the state directory", e.Message, e)
                    : e;
            }
        }
    }

    public EndpointRecord AddForeign(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_lock)
        {
            if (_records.Values.FirstOrDefault(r => r.Key.Hash == record.Key.Hash) is { } other)
                throw new CniException(CniErrorCode.Internal, $"{record.Key} and {other.Key} have the same hash, or the first is here already");
            try
            {
                record = record with { Number = NextNumber() };
                _files.Write(record);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CniException(CniErrorCode.Internal, "the endpoint cannot be written to the state directory", e.Message, e);
            }

            Remember(record);
            return record;
        }
    }

    public void Save(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_lock)
        {
            _files.Write(record);
            var before = _records.GetValueOrDefault(record.Key);
            _records[record.Key] = record;
            if (record.PortMappings.Count > 0 || before is { PortMappings.Count: > 0 })
                HostPortsChanged?.Invoke();
        }
    }

    /// <summary>As <see cref="Save"/>, unless the record is another one by now, or gone; false then.</summary>
    public bool TryReplace(EndpointRecord before, EndpointRecord after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        lock (_lock)
        {
            if (!ReferenceEquals(_records.GetValueOrDefault(before.Key), before))
                return false;
            Save(after);
            return true;
        }
    }

    public void Release(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_lock)
        {
            if (!_records.TryGetValue(record.Key, out var known))
                return;
            var now = _time.GetUtcNow();
            foreach (var address in Parse(known.Foreign is null ? known.Addresses : []))
                Array.Find(_allPools, p => p.Family == address.Family)?.Release(address, now);
            TrySavePool();
            _files.Delete(known);
            _records.Remove(known.Key);
            _numbers.Remove(known.Number);
            if (known.PortMappings.Count > 0)
                HostPortsChanged?.Invoke();
        }
    }

    private Addr Allocate(AddressPool pool)
    {
        var now = _time.GetUtcNow();
        var allocation = pool.Allocate(now);
        if (allocation.Status == AllocationStatus.Allocated)
            return _last[pool.Family] = allocation.Address;
        var (inUse, resting) = pool.Count(now);
        // The first part is an event's too, which is the same as long as nothing changes but the pods.
        throw new CniException(
            CniErrorCode.AddressesExhausted,
            $"no free address in {string.Join(", ", pool.Ranges)}, which can give {pool.Capacity}",
            $"{inUse} are in use, {resting} were released lately and rest"
                + (allocation.FreeAt is { } at ? $", the next is free in {Math.Ceiling((at - now).TotalSeconds):0} s, at {at:O}" : ""));
    }

    /// <summary>Who asks for a certain address knows why: it need not have rested.</summary>
    private Addr Take(AddressPool pool, Addr address) => pool.Reserve(address, _time.GetUtcNow(), evenResting: true) switch
    {
        ReserveStatus.Reserved => address,
        ReserveStatus.InUse => throw NotAvailable(address, "a pod of this node has it"),
        ReserveStatus.Forbidden => throw NotAvailable(address, "it is the first, second or last address of a podCIDR"),
        _ => throw NotAvailable(address, $"it is not in {string.Join(", ", pool.Ranges)}"),
    };

    private static CniException NotAvailable(Addr address, string why) =>
        new(CniErrorCode.AddressNotAvailable, $"the address {address} that was asked for cannot be had: {why}");

    private uint NextNumber()
    {
        do
            _lastNumber++;
        while (_lastNumber == 0 || _numbers.Contains(_lastNumber));
        return _lastNumber;
    }

    private void Remember(EndpointRecord record)
    {
        _records[record.Key] = record;
        _numbers.Add(record.Number);
    }

    private void Rebuild(IReadOnlyList<PodCidr> ranges, IReadOnlyList<RestingAddress> resting)
    {
        _ranges = ranges;
        var inUse = _records.Values.Where(r => r.Foreign is null).SelectMany(r => Parse(r.Addresses)).ToList();
        _allPools =
        [
            .. ((AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6]).Select(family => AddressPool.Restore(
                family, _rest, ranges.Where(r => r.Family == family), inUse, resting,
                _last.TryGetValue(family, out var last) ? last : null)),
        ];
        _pools = Array.FindAll(_allPools, p => p.Ranges.Count > 0);
        if (ranges.Count > 0)
            _rangesKnown.TrySetResult();
    }

    /// <summary>
    /// What is in this file spares a restarted agent waiting and young addresses; a full disk must neither stop the agent nor keep pods from
    /// being deleted for it.
    /// </summary>
    private void TrySavePool()
    {
        try
        {
            _files.WritePool(new PoolRecord
            {
                PodCidrs = [.. _ranges.Select(r => r.ToString())],
                Resting = [.. Resting().Select(r => new RestingRecord(r.Address.ToString(), r.Until))],
                Last = [.. _last.Values.Select(a => a.ToString())],
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NotWritten(_log, e.Message);
        }
    }

    private List<RestingAddress> Resting()
    {
        var now = _time.GetUtcNow();
        return [.. _allPools.SelectMany(p => p.Resting(now))];
    }

    private AddressPool? PoolOf(Addr address) => Array.Find(_pools, p => p.Family == address.Family);

    private static IEnumerable<Addr> Parse(IEnumerable<string> addresses)
    {
        foreach (var text in addresses)
            if (System.Net.IPAddress.TryParse(text, out var address))
                yield return Addr.From(address);
    }

    private static partial class Log
    {
        [LoggerMessage(3101, LogLevel.Error,
            "{File} is not an endpoint record ({Cause}); it was set aside as {File}.bad and is not used: if its pod lives, it has no network any more and must be deleted")]
        public static partial void BadFile(ILogger log, string file, string cause);

        [LoggerMessage(3103, LogLevel.Error,
            "{File} does not hold podCIDRs and resting addresses ({Cause}); it was set aside as {File}.bad: pods wait for the API to tell the podCIDRs, and released addresses may be used early")]
        public static partial void BadPool(ILogger log, string file, string cause);

        [LoggerMessage(3102, LogLevel.Warning,
            "podCIDRs and resting addresses cannot be written to the state directory; they are kept in memory only ({Cause})")]
        public static partial void NotWritten(ILogger log, string cause);
    }
}
