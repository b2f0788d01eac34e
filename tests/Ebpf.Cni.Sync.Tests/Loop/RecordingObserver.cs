using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>Remembers what the loop reported. Thread-safe.</summary>
internal sealed class RecordingObserver : ISyncObserver, IConntrackObserver
{
    private readonly Lock _lock = new();
    private readonly List<string> _calls = [];

    /// <summary>Names of the calls about passes, in their order.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_lock)
                return [.. _calls];
        }
    }

    /// <summary>Entries that all read-backs found to differ.</summary>
    public int Drift { get; private set; }

    /// <summary>Issues that have appeared and are not resolved.</summary>
    public List<CompileIssue> Issues { get; } = [];

    public void Compiling() => Add(nameof(Compiling));

    public void Compiled(long arrived, TimeSpan took) => Add(nameof(Compiled));

    public void Applied(TimeSpan took, DesiredState desired, DataplaneResult result) => Add(nameof(Applied));

    public void InSync(DesiredState desired, ClusterSnapshot cluster) => Add(nameof(InSync));

    public void Verified(DriftReport drift)
    {
        Add(nameof(Verified));
        Drift += drift.Total;
    }

    public void Appeared(CompileIssue issue) => Issues.Add(issue);

    public void Over(CompileIssue issue) => Issues.Remove(issue);

    public void Swept(SweepResult result, TimeSpan took)
    {
    }

    public void Counted(
        IReadOnlyDictionary<StatKey, Stat> live, IReadOnlyDictionary<StatKey, Stat> ended, IReadOnlyDictionary<uint, ServicePortName> names)
    {
    }

    public void Purged(int entries, TimeSpan took)
    {
    }

    public void Destroyed(int sockets)
    {
    }

    private void Add(string call)
    {
        lock (_lock)
            _calls.Add(call);
    }
}
