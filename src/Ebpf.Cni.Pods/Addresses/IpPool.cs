using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Addresses;

/// <summary>
/// The pod addresses of this node: one <see cref="AddressPool"/> for each family of its podCIDRs. Holds no file: what is in use is the
/// endpoints', and <see cref="Record"/> is what is to be written of the rest. Not thread-safe.
/// </summary>
/// <param name="rest">How long a released address is not given out.</param>
/// <param name="time">The clock.</param>
internal sealed class IpPool(TimeSpan rest, TimeProvider time)
{
    /// <summary>Given back, on the disk as resting, and still their endpoint's.</summary>
    private readonly Dictionary<Addr, DateTimeOffset> _going = [];
    private readonly Dictionary<AddressFamily, Addr> _last = [];
    private AddressPool[] _pools = [];

    /// <summary>Those without ranges too: addresses of a family that the node has lost are still released, and rest.</summary>
    private AddressPool[] _allPools = [];

    /// <summary>The node's podCIDRs as last known: of the API, or of the agent before.</summary>
    public IReadOnlyList<PodCidr> Ranges { get; private set; } = [];

    /// <summary>Addresses in use and the number that the ranges can give, by family.</summary>
    public IReadOnlyList<(AddressFamily Family, int InUse, double Capacity)> Usage =>
        [.. _pools.Select(p => (p.Family, p.InUse.Count, (double)p.Capacity))];

    /// <summary>How many addresses were released and may not be used yet, by family.</summary>
    public IReadOnlyList<(AddressFamily Family, int Resting)> AtRest =>
        [.. _pools.Select(p => (p.Family, p.Count(time.GetUtcNow()).Resting))];

    /// <summary>Addresses that were released and may not be used yet.</summary>
    public IReadOnlyList<Addr> Rests => [.. Resting().Select(r => r.Address), .. _going.Keys];

    /// <summary>The pool of the agent before.</summary>
    /// <param name="record">What it has written.</param>
    /// <param name="inUse">The endpoints' addresses.</param>
    public void Restore(PoolRecord record, IEnumerable<Addr> inUse)
    {
        // The clock may have been set back since (a machine without a hardware clock, before NTP sets it).
        var latest = time.GetUtcNow() + rest;
        foreach (var address in Parse(record.Last))
            _last[address.Family] = address;
        Rebuild(
            [.. record.PodCidrs.Where(c => PodCidr.TryParse(c, out _)).Select(PodCidr.Parse)],
            [
                .. record.Resting.Where(r => r is not null).SelectMany(
                    r => Parse([r.Address]).Select(a => new RestingAddress(a, r.Until < latest ? r.Until : latest))),
            ], inUse);
    }

    /// <summary>What is in use stays in use, in a range or not.</summary>
    /// <returns>False if these were the ranges before; or none, which is taken for "not known": the last known ones stay.</returns>
    public bool SetRanges(IReadOnlyList<PodCidr> ranges, IEnumerable<Addr> inUse)
    {
        if (ranges.Count == 0 || ranges.SequenceEqual(Ranges))
            return false;
        Rebuild(ranges, Resting(), inUse);
        return true;
    }

    /// <summary>An address of each family that the node has.</summary>
    /// <param name="asked">At most one a family, at rest or not; for other families the next free address.</param>
    /// <exception cref="CniException">
    /// Code 102: no free address. Code 103: one that was asked for cannot be had. None is in use then.
    /// </exception>
    public IReadOnlyList<Addr> Take(IReadOnlyList<Addr> asked)
    {
        var addresses = new List<Addr>();
        try
        {
            foreach (var strange in asked.Where(a => PoolOf(a) is null))
                throw NotAvailable(strange, "this node has no podCIDR of its family");
            foreach (var pool in _pools)
                addresses.Add(asked.Any(a => a.Family == pool.Family)
                    ? Take(pool, asked.First(a => a.Family == pool.Family)) : Allocate(pool));
            return addresses;
        }
        catch
        {
            Forget(addresses);
            throw;
        }
    }

    /// <summary>They were never used: nothing rests.</summary>
    public void Forget(IEnumerable<Addr> addresses)
    {
        foreach (var address in addresses)
            PoolOf(address)?.Forget(address);
    }

    /// <summary>They rest from now on, and stay in use until <see cref="EndRelease"/>.</summary>
    public void BeginRelease(IEnumerable<Addr> addresses)
    {
        foreach (var address in addresses)
            _going[address] = time.GetUtcNow() + rest;
    }

    public void EndRelease(IEnumerable<Addr> addresses)
    {
        foreach (var address in addresses)
        {
            _going.Remove(address);
            Array.Find(_allPools, p => p.Family == address.Family)?.Release(address, time.GetUtcNow());
        }
    }

    public PoolRecord Record() => new()
    {
        PodCidrs = [.. Ranges.Select(r => r.ToString())],
        Resting =
        [
            .. Resting().Select(r => new RestingRecord(r.Address.ToString(), r.Until)),
            .. _going.Select(g => new RestingRecord(g.Key.ToString(), g.Value)),
        ],
        Last = [.. _last.Values.Select(a => a.ToString())],
    };

    /// <summary>Those that are addresses.</summary>
    public static IEnumerable<Addr> Parse(IEnumerable<string> addresses)
    {
        foreach (var text in addresses)
            if (IPAddress.TryParse(text, out var address))
                yield return Addr.From(address);
    }

    private void Rebuild(IReadOnlyList<PodCidr> ranges, IReadOnlyList<RestingAddress> resting, IEnumerable<Addr> inUse)
    {
        Ranges = ranges;
        var used = inUse.ToList();
        _allPools =
        [
            .. ((AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6]).Select(family => AddressPool.Restore(
                family, rest, ranges.Where(r => r.Family == family), used, resting,
                _last.TryGetValue(family, out var last) ? last : null)),
        ];
        _pools = Array.FindAll(_allPools, p => p.Ranges.Count > 0);
    }

    private Addr Allocate(AddressPool pool)
    {
        var now = time.GetUtcNow();
        var allocation = pool.Allocate(now);
        if (allocation.Status == AllocationStatus.Allocated)
            return _last[pool.Family] = allocation.Address;
        var (inUse, resting) = pool.Count(now);
        // The first part is an event's too, which is the same as long as nothing changes but the pods.
        throw new CniException(
            CniErrorCode.AddressesExhausted,
            $"no free address in {string.Join(", ", pool.Ranges)} (capacity {pool.Capacity})",
            string.Create(CultureInfo.InvariantCulture, $"{inUse} in use, {resting} within the IP reuse delay")
                + (allocation.FreeAt is { } at ? $", next free in {Math.Ceiling((at - now).TotalSeconds):0} s, at {at:O}" : ""));
    }

    /// <summary>Who asks for a certain address knows why: it need not have rested.</summary>
    private Addr Take(AddressPool pool, Addr address) => pool.Reserve(address, time.GetUtcNow(), evenResting: true) switch
    {
        ReserveStatus.Reserved => address,
        ReserveStatus.InUse => throw NotAvailable(address, "a pod of this node uses it"),
        ReserveStatus.Forbidden => throw NotAvailable(address, "it is the first, second or last address of a podCIDR"),
        _ => throw NotAvailable(address, $"it is not in {string.Join(", ", pool.Ranges)}"),
    };

    private static CniException NotAvailable(Addr address, string why) =>
        new(CniErrorCode.AddressNotAvailable, $"the requested address {address} is not available: {why}");

    private List<RestingAddress> Resting()
    {
        var now = time.GetUtcNow();
        return [.. _allPools.SelectMany(p => p.Resting(now))];
    }

    private AddressPool? PoolOf(Addr address) => Array.Find(_pools, p => p.Family == address.Family);
}
