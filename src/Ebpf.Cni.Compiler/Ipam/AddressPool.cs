using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;

namespace Ebpf.Cni.Compiler.Ipam;

/// <summary>
/// The pod addresses of one node and one family: pure arithmetic, no clock, no file. One holder, not thread-safe.
/// <para>Round robin: the next address is the first free one after the last given out, so an address stays unused as long as possible.
/// A released address also rests: peers may still hold connections and caches for it.</para>
/// <para>The cost of an address does not depend on the size of the ranges, only on how many in use follow each other there. Times are the
/// wall clock's, since rests outlive a restart: a clock that is set back makes no rest longer than it was meant.</para>
/// <para>Never given out: a range's first address (IPv4 network, IPv6 subnet-router anycast, RFC 4291 2.6.1), the second (the node's own in
/// the pod network, where other plugins put their gateway) and, for IPv4, the last (broadcast). Ranges of one or two addresses are used
/// whole (RFC 3021, RFC 6164).</para>
/// </summary>
public sealed class AddressPool(AddressFamily family, TimeSpan rest)
{
    private readonly List<PodCidr> _ranges = [];
    private readonly HashSet<Addr> _inUse = [];
    private readonly Dictionary<Addr, DateTimeOffset> _resting = [];
    private readonly PriorityQueue<Addr, DateTimeOffset> _restEnds = new();
    private DateTimeOffset _now = DateTimeOffset.MinValue;
    private int _range;
    private UInt128 _next;

    public AddressFamily Family => family;

    public IReadOnlyList<PodCidr> Ranges => _ranges;

    /// <summary>Addresses in use, in no order; those of ranges that are gone included.</summary>
    public IReadOnlyCollection<Addr> InUse => _inUse;

    /// <summary>How many addresses the ranges can give at most.</summary>
    public UInt128 Capacity
    {
        get
        {
            var sum = UInt128.Zero;
            foreach (var range in _ranges)
                sum += LastUsable(range) - FirstUsable(range) + 1;
            return sum;
        }
    }

    /// <summary>The pool of a node that was here before: allocations in no range are kept until released.</summary>
    /// <param name="family">The family of all arguments; others are left out.</param>
    /// <param name="rest">How long a released address rests.</param>
    /// <param name="ranges">The node's podCIDRs; one that overlaps an earlier one is left out.</param>
    /// <param name="inUse">Addresses in use.</param>
    /// <param name="resting">Addresses at rest, from <see cref="Resting"/>.</param>
    /// <param name="last">The address given out last, from where the round goes on.</param>
    public static AddressPool Restore(
        AddressFamily family,
        TimeSpan rest,
        IEnumerable<PodCidr> ranges,
        IEnumerable<Addr> inUse,
        IEnumerable<RestingAddress>? resting = null,
        Addr? last = null)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        ArgumentNullException.ThrowIfNull(inUse);
        var pool = new AddressPool(family, rest);
        foreach (var range in ranges)
            pool.AddRange(range);
        foreach (var address in inUse)
            if (address.Family == family)
                pool._inUse.Add(address);
        foreach (var (address, until) in resting ?? [])
            if (address.Family == family && !pool._inUse.Contains(address))
                pool.Rest(address, until);
        if (last is { } given)
            pool.ContinueAfter(given);
        return pool;
    }

    /// <summary>Addresses still at rest at <paramref name="now"/>, for saving.</summary>
    public IEnumerable<RestingAddress> Resting(DateTimeOffset now) =>
        _resting.Where(r => r.Value > now).OrderBy(r => r.Key).Select(r => new RestingAddress(r.Key, r.Value));

    /// <summary>
    /// How the addresses that the ranges can give are spread: in use, at rest, and the rest of <see cref="Capacity"/> is free.
    /// </summary>
    public (int InUse, int Resting) Count(DateTimeOffset now)
    {
        EndRests(now);
        return (_inUse.Count(IsUsable), _resting.Keys.Count(IsUsable));
    }

    /// <summary>Adds a podCIDR.</summary>
    public AddRangeStatus AddRange(PodCidr range)
    {
        if (range.Family != family)
            return AddRangeStatus.WrongFamily;
        if (_ranges.Contains(range))
            return AddRangeStatus.AlreadyThere;
        if (_ranges.Any(r => r.Overlaps(range)))
            return AddRangeStatus.Overlaps;
        if (_ranges.Count == 0)
            _next = FirstUsable(range);
        _ranges.Add(range);
        return AddRangeStatus.Added;
    }

    /// <summary>Takes the next free address. Costs one step for each address in use or within the reuse delay that it passes.</summary>
    public Allocation Allocate(DateTimeOffset now)
    {
        if (_ranges.Count == 0)
            return new Allocation(AllocationStatus.NoRange, default, null);
        EndRests(now);
        var (startRange, start) = (_range, _next);
        do
        {
            var address = AddrNumber.ToAddr(_next);
            Advance();
            if (_resting.ContainsKey(address) || !_inUse.Add(address))
                continue;
            return new Allocation(AllocationStatus.Allocated, address, null);
        }
        while (_range != startRange || _next != start);
        DateTimeOffset? freeAt = null;
        foreach (var (address, until) in _resting)
            if (IsUsable(address) && (freeAt is null || until < freeAt))
                freeAt = until;
        return new Allocation(AllocationStatus.Exhausted, default, freeAt);
    }

    /// <summary>Takes one certain address; with <paramref name="evenResting"/> its rest ends here.</summary>
    public ReserveStatus Reserve(Addr address, DateTimeOffset now, bool evenResting = false)
    {
        EndRests(now);
        if (_inUse.Contains(address))
            return ReserveStatus.InUse;
        if (!evenResting && _resting.ContainsKey(address))
            return ReserveStatus.Resting;
        var at = RangeOf(address);
        if (at < 0)
            return ReserveStatus.OutOfRange;
        var number = AddrNumber.Of(address);
        if (number < FirstUsable(_ranges[at]) || number > LastUsable(_ranges[at]))
            return ReserveStatus.Forbidden;
        _resting.Remove(address);
        _inUse.Add(address);
        return ReserveStatus.Reserved;
    }

    /// <summary>Gives an address back; it rests from now on. False, and nothing happens, when it was not in use.</summary>
    public bool Release(Addr address, DateTimeOffset now)
    {
        if (!_inUse.Remove(address))
            return false;
        if (rest > TimeSpan.Zero)
            Rest(address, now + rest);
        return true;
    }

    /// <summary>Gives an unused address back: it needs no reuse delay.</summary>
    public void Forget(Addr address) => _inUse.Remove(address);

    /// <summary>Whether the address is given out.</summary>
    public bool IsInUse(Addr address) => _inUse.Contains(address);

    private void Rest(Addr address, DateTimeOffset until)
    {
        _resting[address] = until;
        _restEnds.Enqueue(address, until);
    }

    private void EndRests(DateTimeOffset now)
    {
        // Set back: what would rest until a time far ahead rests as if it had been released now.
        if (now < _now)
            foreach (var (address, until) in _resting.ToList())
                if (until - now > rest)
                    Rest(address, now + rest);
        _now = now;
        while (_restEnds.TryPeek(out var address, out var end) && end <= now)
        {
            _restEnds.Dequeue();
            // It may have been given out and released again since then.
            if (_resting.TryGetValue(address, out var until) && until <= now)
                _resting.Remove(address);
        }
    }

    private void Advance()
    {
        if (_next < LastUsable(_ranges[_range]))
        {
            _next++;
            return;
        }
        _range = (_range + 1) % _ranges.Count;
        _next = FirstUsable(_ranges[_range]);
    }

    private void ContinueAfter(Addr last)
    {
        var at = RangeOf(last);
        var number = AddrNumber.Of(last);
        if (at < 0 || number < FirstUsable(_ranges[at]) || number > LastUsable(_ranges[at]))
            return;
        (_range, _next) = (at, number);
        Advance();
    }

    private bool IsUsable(Addr address)
    {
        var at = RangeOf(address);
        var number = AddrNumber.Of(address);
        return at >= 0 && number >= FirstUsable(_ranges[at]) && number <= LastUsable(_ranges[at]);
    }

    private int RangeOf(Addr address)
    {
        if (address.Family != family)
            return -1;
        return _ranges.FindIndex(r => r.Contains(address));
    }

    private static UInt128 FirstUsable(PodCidr range) => range.Size <= 2 ? range.First : range.First + 2;

    private static UInt128 LastUsable(PodCidr range) => range.Size <= 2 || !range.IsIPv4 ? range.Last : range.Last - 1;
}
