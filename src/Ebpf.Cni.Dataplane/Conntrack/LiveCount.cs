using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>Adds up what lives.</summary>
internal sealed class LiveCount
{
    private readonly int[] _byState = new int[byte.MaxValue + 1];
    private readonly Dictionary<StatKey, Stat> _live = [];

    public int Entries { get; private set; }

    public IReadOnlyDictionary<StatKey, Stat> Live => _live;

    public void Add(in CtKey key, in Ct value)
    {
        Entries++;
        var reply = ConntrackTable.IsReply(value);
        if (!reply)
            _byState[(int)value.State]++;
        if (value.ServiceId == 0)
            return;
        ref var stat = ref CollectionsMarshal.GetValueRefOrAddDefault(
            _live, new StatKey(ConntrackTable.Backend(key, value), value.ServiceId, ConntrackTable.BackendPort(key, value)), out _);
        stat = reply
            ? stat with { PacketsFrom = stat.PacketsFrom + value.Packets, BytesFrom = stat.BytesFrom + value.Bytes }
            : stat with { Connections = stat.Connections + 1, PacketsTo = stat.PacketsTo + value.Packets,
                BytesTo = stat.BytesTo + value.Bytes };
    }

    public ImmutableSortedDictionary<CtState, int> ByState() =>
        Enum.GetValues<CtState>().Where(s => _byState[(int)s] > 0).ToImmutableSortedDictionary(s => s, s => _byState[(int)s]);
}
