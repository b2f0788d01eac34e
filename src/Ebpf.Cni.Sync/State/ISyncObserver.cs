using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Apply;

namespace Ebpf.Cni.Sync.State;

/// <summary>Hears of what the sync loop does: for metrics. Called by the loop alone, except for issues.</summary>
public interface ISyncObserver
{
    /// <summary>The loop is about to take what the watches have seen until now.</summary>
    void Compiling();

    /// <param name="arrived">A timestamp of the loop's clock: when the oldest change arrived that is in it.</param>
    /// <param name="took">Compiling it.</param>
    void Compiled(long arrived, TimeSpan took);

    /// <summary>An apply has ended, whether it succeeded or not.</summary>
    void Applied(TimeSpan took, DesiredState desired, DataplaneResult result);

    /// <summary>The kernel holds what was compiled last.</summary>
    void InSync(DesiredState desired, ClusterSnapshot cluster);

    /// <summary>The kernel's tables were read back.</summary>
    void Verified(DriftReport drift);

    /// <summary>An issue that was not there before. On any thread, one at a time.</summary>
    void Appeared(CompileIssue issue);

    /// <summary>An issue that was there is no more. On any thread, one at a time.</summary>
    void Over(CompileIssue issue);
}
