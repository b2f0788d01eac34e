using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;

namespace Ebpf.Cni.Sync.Conntrack;

/// <summary>Hears of what becomes of the connection table: for metrics. Thread-safe.</summary>
public interface IConntrackObserver
{
    /// <summary>A pass over the table has ended.</summary>
    /// <param name="result">What it found.</param>
    /// <param name="took">The pass.</param>
    void Swept(SweepResult result, TimeSpan took);

    /// <summary>What the connections of each Service carried, after each pass.</summary>
    /// <param name="live">Of living connections: the pass's result.</param>
    /// <param name="ended">
    /// What connections had when they ended, read after the pass: what it has just ended is in these, what lives in the result.
    /// </param>
    /// <param name="names">What service ids stand for.</param>
    void Counted(
        IReadOnlyDictionary<StatKey, Stat> live, IReadOnlyDictionary<StatKey, Stat> ended,
        IReadOnlyDictionary<uint, ServicePortName> names);

    /// <summary>Entries of backends that serve no more were removed.</summary>
    void Purged(int entries, TimeSpan took);

    /// <summary>Connected UDP sockets were destroyed.</summary>
    void Destroyed(int sockets);
}
