using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Failures;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>What an apply did, and what is still pending.</summary>
public sealed record ApplyResult
{
    public int SegmentsWritten { get; init; }

    public int BackendsWritten { get; init; }

    public int FrontendsAdded { get; init; }

    public int FrontendsSwitched { get; init; }

    public int FrontendsDeleted { get; init; }

    public int SourceRangesAdded { get; init; }

    public int SourceRangesDeleted { get; init; }

    /// <summary>
    /// Backends of UDP and SCTP service ports that this apply has taken out of service; each once. Flows that still go there, and sockets
    /// that are connected to them, have no backend: see <see cref="Conntrack.ConntrackTable.Purge"/> and
    /// <see cref="Sockets.StaleSockets.Destroy"/>.
    /// </summary>
    public ImmutableArray<RemovedBackend> RemovedBackends { get; init; } = [];

    /// <summary>Services that do not fit, each with the option to raise.</summary>
    public ImmutableArray<TableFull> Refusals { get; init; } = [];

    /// <summary>Services that fit once released space has rested; see <see cref="RetryAfter"/>.</summary>
    public ImmutableArray<ObjectName> Waiting { get; init; } = [];

    public ImmutableArray<ApplyError> Errors { get; init; } = [];

    /// <summary>When changes are pending and released space will help: the time to wait before the next apply.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Writes to kernel memory: a segment through the mapping, or one entry of another table.</summary>
    public int KernelWrites => SegmentsWritten + FrontendsAdded + FrontendsSwitched + FrontendsDeleted + SourceRangesAdded
        + SourceRangesDeleted;

    /// <summary>The kernel holds exactly what was desired.</summary>
    public bool Complete => Refusals.IsEmpty && Waiting.IsEmpty && Errors.IsEmpty;

    /// <summary>The sum of two passes; pending is what the second one leaves.</summary>
    internal ApplyResult Then(ApplyResult second) => second with
    {
        SegmentsWritten = SegmentsWritten + second.SegmentsWritten,
        BackendsWritten = BackendsWritten + second.BackendsWritten,
        FrontendsAdded = FrontendsAdded + second.FrontendsAdded,
        FrontendsSwitched = FrontendsSwitched + second.FrontendsSwitched,
        FrontendsDeleted = FrontendsDeleted + second.FrontendsDeleted,
        SourceRangesAdded = SourceRangesAdded + second.SourceRangesAdded,
        SourceRangesDeleted = SourceRangesDeleted + second.SourceRangesDeleted,
        RemovedBackends = [.. RemovedBackends.Union(second.RemovedBackends)],
    };
}
