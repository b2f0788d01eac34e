using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>
/// <c>ebc_stat_v1</c>: what each backend of each service port got. Never reset while the agent is gone; a backend that got nothing for long
/// may be forgotten and start again at 0. Connections are counted when they begin, packets and bytes when they end; what has not ended is
/// in <see cref="Conntrack.SweepResult.Live"/>.
/// </summary>
public sealed class ServiceStats : IDisposable
{
    private readonly BpfMap _map;

    internal ServiceStats(BpfMap map) => _map = map;

    /// <summary>By service port and backend.</summary>
    public IReadOnlyDictionary<StatKey, Stat> Read()
    {
        var all = new Dictionary<StatKey, Stat>();
        foreach (var (key, value) in _map.ReadAll<StatKey, Stat>())
            all[key] = value;
        return all;
    }

    public void Dispose() => _map.Dispose();
}
