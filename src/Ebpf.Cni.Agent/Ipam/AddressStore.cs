using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Agent.Ipam;

/// <summary>
/// Addresses and endpoints, held in memory and on disk. An address is written to its endpoint's file before anybody sees it, and
/// written down as resting before that file goes: killed anywhere, the next start neither gives an address out twice nor loses one.
/// </summary>
/// <remarks>
/// A disk takes its time, and pods that start at once must not wait for each other's files: nothing is written inside of the lock. Changes of one endpoint
/// follow each other by a lock of their own, which is taken first.
/// </remarks>
public sealed partial class AddressStore : IAddressStore
{
    private readonly Lock _lock = new();

    /// <summary>One for the changes of an endpoint; several share one.</summary>
    private readonly Lock[] _changes = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly EndpointFiles _files;
    private readonly PoolFile _poolFile;
    private readonly TimeSpan _rest;
    private readonly TimeProvider _time;
    private readonly Dictionary<EndpointKey, EndpointRecord> _records = [];
    private readonly HashSet<uint> _numbers = [];

    /// <summary>Names of files and interfaces, and whose they are.</summary>
    private readonly Dictionary<string, EndpointKey> _hashes = [];

    /// <summary>On the way to the disk: what they have is theirs already, but nobody sees them.</summary>
    private readonly Dictionary<EndpointKey, EndpointRecord> _coming = [];

    /// <summary>Given back, on the disk as resting, and still their endpoint's.</summary>
    private readonly Dictionary<Addr, DateTimeOffset> _going = [];
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
        (_files, _rest, _time) = (files, rest, time);
        _poolFile = new PoolFile(files, Pool, log);
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
        // From now on the directory is this node's, whatever an older agent wrote.
        if (pool.Node != files.Node)
            _poolFile.Changed();
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
        }

        _poolFile.Changed();
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
        return Make(key, () =>
        {
            var addresses = new List<Addr>();
            try
            {
                foreach (var strange in asked.Where(a => PoolOf(a) is null))
                    throw NotAvailable(strange, "this node has no podCIDR of its family");
                foreach (var pool in _pools)
                    addresses.Add(asked.Any(a => a.Family == pool.Family) ? Take(pool, asked.First(a => a.Family == pool.Family)) : Allocate(pool));
                return new EndpointRecord
                {
                    ContainerId = key.ContainerId, Ifname = key.Ifname, Netns = netns, Pod = pod,
                    Number = NextNumber(), Addresses = [.. addresses.Select(a => a.ToString())],
                };
            }
            catch
            {
                Forget(addresses);
                throw;
            }
        });
    }

    public EndpointRecord AddForeign(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return Make(record.Key, () => record with { Number = NextNumber() });
    }

    public void Save(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (ChangesOf(record.Key))
        {
            _files.Write(record);
            lock (_lock)
            {
                var before = _records.GetValueOrDefault(record.Key);
                _records[record.Key] = record;
                if (record.PortMappings.Count > 0 || before is { PortMappings.Count: > 0 })
                    HostPortsChanged?.Invoke();
            }
        }
    }

    /// <summary>As <see cref="Save"/>, unless the record is another one by now, or gone; false then.</summary>
    public bool TryReplace(EndpointRecord before, EndpointRecord after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        lock (ChangesOf(before.Key))
        {
            if (!ReferenceEquals(Find(before.Key), before))
                return false;
            Save(after);
            return true;
        }
    }

    public void Release(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (ChangesOf(record.Key))
        {
            if (Find(record.Key) is not { } known)
                return;
            var addresses = known.Foreign is null ? Parse(known.Addresses).ToList() : [];
            lock (_lock)
                foreach (var address in addresses)
                    _going[address] = _time.GetUtcNow() + _rest;
            _poolFile.Changed();
            _files.Delete(known);
            lock (_lock)
            {
                foreach (var address in addresses)
                {
                    _going.Remove(address);
                    Array.Find(_allPools, p => p.Family == address.Family)?.Release(address, _time.GetUtcNow());
                }

                _records.Remove(known.Key);
                _numbers.Remove(known.Number);
                _hashes.Remove(known.Key.Hash);
                if (known.PortMappings.Count > 0)
                    HostPortsChanged?.Invoke();
            }
        }
    }

    /// <summary>A new record: nobody sees it before it is on the disk, and nobody else gets what it has.</summary>
    /// <param name="key">Not here yet.</param>
    /// <param name="make">Called inside of the lock.</param>
    private EndpointRecord Make(EndpointKey key, Func<EndpointRecord> make)
    {
        var hash = key.Hash;
        lock (ChangesOf(key))
        {
            EndpointRecord record;
            lock (_lock)
            {
                if (_hashes.TryGetValue(hash, out var other))
                    throw new CniException(CniErrorCode.Internal, $"{key} and {other} have the same hash, or the first is here already");
                record = make();
                _coming.Add(key, record);
                _numbers.Add(record.Number);
                _hashes.Add(hash, key);
            }

            try
            {
                _files.Write(record);
                lock (_lock)
                {
                    _coming.Remove(key);
                    Remember(record);
                }

                return record;
            }
            catch (Exception e)
            {
                lock (_lock)
                {
                    _coming.Remove(key);
                    Forget(record.Foreign is null ? Parse(record.Addresses) : []);
                    _numbers.Remove(record.Number);
                    _hashes.Remove(hash);
                }

                throw e is IOException or UnauthorizedAccessException
                    ? new CniException(CniErrorCode.Internal, "the endpoint cannot be written to the state directory", e.Message, e)
                    : e;
            }
        }
    }

    private Lock ChangesOf(EndpointKey key) => _changes[(uint)key.GetHashCode() % (uint)_changes.Length];

    private void Forget(IEnumerable<Addr> addresses) => addresses.ToList().ForEach(address => PoolOf(address)?.Forget(address));

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
        _hashes[record.Key.Hash] = record.Key;
    }

    private void Rebuild(IReadOnlyList<PodCidr> ranges, IReadOnlyList<RestingAddress> resting)
    {
        _ranges = ranges;
        var inUse = _records.Values.Concat(_coming.Values).Where(r => r.Foreign is null).SelectMany(r => Parse(r.Addresses)).ToList();
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

    private PoolRecord Pool()
    {
        lock (_lock)
            return new PoolRecord
            {
                PodCidrs = [.. _ranges.Select(r => r.ToString())],
                Resting = [.. Resting().Select(r => new RestingRecord(r.Address.ToString(), r.Until)), .. _going.Select(g => new RestingRecord(g.Key.ToString(), g.Value))],
                Last = [.. _last.Values.Select(a => a.ToString())],
            };
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
    }
}
