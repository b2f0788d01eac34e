using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Addresses;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// The endpoints of this node, held in memory and on disk, with their addresses. An address is written to its endpoint's file before it
/// is visible to callers, and written down as resting before that file goes: killed anywhere, the next start neither gives an address out
/// twice nor loses one.
/// </summary>
/// <remarks>
/// A disk takes its time, and pods that start at once must not wait for each other's files: nothing is written inside of the lock. Changes
/// of one endpoint follow each other by a lock of their own, which is taken first.
/// </remarks>
public sealed partial class EndpointStore : IEndpointStore
{
    private readonly Lock _lock = new();

    /// <summary>One for the changes of an endpoint; several share one.</summary>
    private readonly Lock[] _changes = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly EndpointFiles _files;
    private readonly PoolFile _poolFile;
    private readonly TimeProvider _time;
    private readonly IpPool _pool;
    private readonly Dictionary<EndpointKey, EndpointRecord> _records = [];
    private readonly HashSet<uint> _numbers = [];

    /// <summary>Names of files and interfaces, and whose they are.</summary>
    private readonly Dictionary<string, EndpointKey> _hashes = [];

    /// <summary>Being written to disk: their addresses are allocated, but no caller sees them yet.</summary>
    private readonly Dictionary<EndpointKey, EndpointRecord> _coming = [];
    private readonly TaskCompletionSource _rangesKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private uint _lastNumber;

    public EndpointStore(EndpointFiles files, TimeSpan rest, TimeProvider time, ILogger<EndpointStore> log)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        (_files, _time, _pool) = (files, time, new IpPool(rest, time));
        _poolFile = new PoolFile(files, PoolRecord, log);
        var records = files.ReadAll(out var bad);
        foreach (var record in records)
            Remember(record);
        _lastNumber = _numbers.DefaultIfEmpty().Max();
        var pool = files.ReadPool(out var badPool);
        foreach (var file in bad)
            Log.BadFile(log, file.Path, file.Cause);
        if (badPool is not null)
            Log.BadPool(log, badPool.Path, badPool.Cause);
        _pool.Restore(pool, InUse());
        ReportRanges();
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

    public bool HasRanges => Ranges.Count > 0;

    /// <inheritdoc cref="IpPool.Ranges"/>
    public IReadOnlyList<PodCidr> Ranges
    {
        get
        {
            lock (_lock)
                return _pool.Ranges;
        }
    }

    /// <summary>Completes when the node's podCIDRs are known.</summary>
    public Task RangesKnown => _rangesKnown.Task;

    /// <inheritdoc cref="IpPool.Usage"/>
    public IReadOnlyList<(AddressFamily Family, int InUse, double Capacity)> Usage
    {
        get
        {
            lock (_lock)
                return _pool.Usage;
        }
    }

    /// <inheritdoc cref="IpPool.AtRest"/>
    public IReadOnlyList<(AddressFamily Family, int Resting)> AtRest
    {
        get
        {
            lock (_lock)
                return _pool.AtRest;
        }
    }

    /// <inheritdoc cref="IpPool.Rests"/>
    public IReadOnlyList<Addr> Rests
    {
        get
        {
            lock (_lock)
                return _pool.Rests;
        }
    }

    public EndpointRecord? Find(EndpointKey key)
    {
        lock (_lock)
            return _records.GetValueOrDefault(key);
    }

    /// <summary>
    /// The node's podCIDRs from the API. What is in use stays in use, in a range or not. An empty list is taken for "not known":
    /// the last known ranges stay.
    /// </summary>
    public void SetRanges(IReadOnlyList<PodCidr> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        lock (_lock)
        {
            if (!_pool.SetRanges(ranges, InUse()))
                return;
            ReportRanges();
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
                CniErrorCode.TryAgainLater, "this node has no podCIDR yet", "spec.podCIDRs of the Node object is empty or not yet known",
                e);
        }
    }

    public EndpointRecord Reserve(EndpointKey key, string netns, string pod, IReadOnlyList<Addr> asked)
    {
        ArgumentNullException.ThrowIfNull(asked);
        return Make(key, () => new EndpointRecord
        {
            ContainerId = key.ContainerId, Ifname = key.Ifname, Netns = netns, Pod = pod,
            Addresses = [.. _pool.Take(asked).Select(a => a.ToString())],
            Number = NextNumber(),
        });
    }

    public EndpointRecord AddChained(EndpointRecord record)
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
            var addresses = OwnAddresses(known).ToList();
            lock (_lock)
                _pool.BeginRelease(addresses);
            _poolFile.Changed();
            _files.Delete(known);
            lock (_lock)
            {
                _pool.EndRelease(addresses);
                _records.Remove(known.Key);
                _numbers.Remove(known.Number);
                _hashes.Remove(known.Key.Hash);
                if (known.PortMappings.Count > 0)
                    HostPortsChanged?.Invoke();
            }
        }
    }

    /// <summary>A new record: no caller sees it before it is on the disk, and no other gets what it has.</summary>
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
                    throw new CniException(CniErrorCode.Internal, $"endpoint {key} exists already, or has the same hash as {other}");
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
                    _pool.Forget(OwnAddresses(record));
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

    private List<Addr> InUse() => [.. _records.Values.Concat(_coming.Values).SelectMany(OwnAddresses)];

    /// <summary>Addresses of the pool's: not those that another plugin gave.</summary>
    private static IEnumerable<Addr> OwnAddresses(EndpointRecord record) => record.Foreign is null ? IpPool.Parse(record.Addresses) : [];

    private void ReportRanges()
    {
        if (_pool.Ranges.Count > 0)
            _rangesKnown.TrySetResult();
    }

    private PoolRecord PoolRecord()
    {
        lock (_lock)
            return _pool.Record();
    }

    private static partial class Log
    {
        [LoggerMessage(3101, LogLevel.Error,
            "endpoint record {File} is invalid ({Cause}) and was renamed to {File}.bad: "
            + "its pod has no network any more; delete the pod if it still runs")]
        public static partial void BadFile(ILogger log, string file, string cause);

        [LoggerMessage(3103, LogLevel.Error,
            "IPAM state {File} is invalid ({Cause}) and was renamed to {File}.bad: "
            + "pods wait for podCIDRs from the API, released addresses may be reused early")]
        public static partial void BadPool(ILogger log, string file, string cause);
    }
}
