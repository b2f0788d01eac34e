using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// <c>ebc_stat_v1</c>: programs of both kinds add to counts while it is replaced. What the former programs have added since the copy is
/// added to the new table at the end. A count that a program adds in the same microsecond may be lost; the agent reports none before.
/// </summary>
internal sealed class CountedTable(BpfMap old, BpfMap young) : TableGrowth(old, young)
{
    private readonly Dictionary<StatKey, Stat> _copied = [];
    private bool _filled;

    public override void Fill()
    {
        foreach (var (key, value) in Old.ReadAll<StatKey, Stat>())
        {
            _copied[key] = value;
            Young.Update(key, value);
        }
        _filled = true;
    }

    /// <summary>After a start that died, how much was copied is not known: only what is missing is added.</summary>
    public override void Finish()
    {
        foreach (var (key, value) in Old.ReadAll<StatKey, Stat>())
        {
            var more = Less(value, _copied.GetValueOrDefault(key));
            if (more == default || Young.TryAdd(key, more) || !_filled || !Young.TryLookup(key, out Stat there))
                continue;
            Young.Update(key, Plus(there, more));
        }
    }

    /// <summary>An element that the LRU took away and gave again has begun at 0.</summary>
    private static Stat Less(in Stat now, in Stat copied) =>
        now.Connections < copied.Connections || now.PacketsTo < copied.PacketsTo || now.PacketsFrom < copied.PacketsFrom
            ? now
            : new Stat(
                now.Connections - copied.Connections, now.PacketsTo - copied.PacketsTo, now.BytesTo - copied.BytesTo,
                now.PacketsFrom - copied.PacketsFrom, now.BytesFrom - copied.BytesFrom);

    private static Stat Plus(in Stat a, in Stat b) => new(
        a.Connections + b.Connections, a.PacketsTo + b.PacketsTo, a.BytesTo + b.BytesTo, a.PacketsFrom + b.PacketsFrom,
        a.BytesFrom + b.BytesFrom);
}
