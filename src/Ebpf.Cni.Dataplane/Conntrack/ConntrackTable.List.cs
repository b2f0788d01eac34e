using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>A connection: what the client's packets are and become, and what the answers' entry has counted.</summary>
/// <param name="Key">The client's packet as it arrives.</param>
/// <param name="Forward">What becomes of it.</param>
/// <param name="Reply">The entry of the answers; null if it is gone.</param>
/// <param name="Age">Since it began.</param>
/// <param name="Idle">Since its last packet in either direction, exact to a second.</param>
/// <param name="Expired">Idle for too long; the next garbage collection pass removes it.</param>
public sealed record Connection(CtKey Key, Ct Forward, Ct? Reply, TimeSpan Age, TimeSpan Idle, bool Expired);

/// <summary>Connections of the table.</summary>
/// <param name="Matching">All that were wanted.</param>
/// <param name="Connections">Those of them that were used most recently, the latest first.</param>
/// <param name="Usage">The tables'.</param>
public sealed record ConnectionList(int Matching, ImmutableArray<Connection> Connections, ConntrackUsage Usage);

/// <content>For people: the connections themselves.</content>
public sealed partial class ConntrackTable
{
    /// <summary>Reads the whole table and keeps at most <paramref name="most"/> connections.</summary>
    /// <param name="most">Of the list.</param>
    /// <param name="wanted">By the client's entry.</param>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    public ConnectionList List(int most, Func<CtKey, Ct, bool> wanted)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(most);
        ArgumentNullException.ThrowIfNull(wanted);
        // The least recently used is at the head, and makes room for the next.
        var latest = new PriorityQueue<(CtKey Key, Ct Value), ulong>();
        var matching = 0;
        lock (_lock)
        {
            Scan((keys, values) =>
            {
                for (var i = 0; i < keys.Length; i++)
                {
                    if (IsReply(values[i]) || !wanted(keys[i], values[i]))
                        continue;
                    matching++;
                    latest.Enqueue((keys[i], values[i]), values[i].LastSeenNs);
                    if (latest.Count > most)
                        latest.Dequeue();
                }
            });
            var now = Now();
            var found = new List<Connection>(latest.Count);
            while (latest.TryDequeue(out var entry, out _))
                found.Add(Join(entry.Key, entry.Value, now));
            found.Reverse();
            return new ConnectionList(matching, [.. found], UsageNow());
        }
    }

    private Connection Join(in CtKey key, in Ct forward, ulong now)
    {
        // The twin is the mirror of what the entry makes.
        var reply = Of(key).TryLookup(new CtKey(forward.Dst, forward.Src, forward.Dport, forward.Sport, key.Proto), out var twin)
            && IsReply(twin) ? twin : (Ct?)null;
        var seen = Math.Max(forward.LastSeenNs, reply?.LastSeenNs ?? 0);
        return new Connection(key, forward, reply, Since(forward.CreatedNs, now), Since(seen, now),
            IsDead(forward, now) && (reply is not { } r || IsDead(r, now)));
    }

    private static TimeSpan Since(ulong then, ulong now) => now > then ? TimeSpan.FromTicks((long)((now - then) / 100)) : TimeSpan.Zero;
}
