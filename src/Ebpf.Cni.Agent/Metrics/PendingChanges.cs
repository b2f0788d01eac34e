using Ebpf.Cni.Kubernetes.Watching;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>How many changes were heard of that are not in the kernel yet, by kind of object. Thread-safe.</summary>
/// <param name="watches">How the watches are doing, one state a kind.</param>
public sealed class PendingChanges(Func<IReadOnlyList<ReflectorState>> watches)
{
    private readonly Lock _lock = new();
    private Dictionary<string, long> _compiling = [];
    private Dictionary<string, long> _applied = [];

    /// <summary>Before the cluster is read: everything heard of until now is in it.</summary>
    public void Compiling()
    {
        lock (_lock)
            _compiling = watches().ToDictionary(s => s.Kind, s => s.Events);
    }

    /// <summary>What was compiled last is in the kernel.</summary>
    public void Applied()
    {
        lock (_lock)
            _applied = _compiling;
    }

    /// <param name="kind">Service, EndpointSlice…</param>
    /// <param name="events">Heard of until now.</param>
    public long Of(string kind, long events)
    {
        lock (_lock)
            return Math.Max(0, events - _applied.GetValueOrDefault(kind));
    }
}
