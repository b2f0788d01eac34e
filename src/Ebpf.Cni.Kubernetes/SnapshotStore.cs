using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes;

/// <summary>
/// The one mutable holder between the watches and the compiler. Until the first complete lists of <em>all</em> kinds are in,
/// <see cref="Current"/> is empty, <see cref="Synced"/> is false and no change is signalled, so that half a cluster is never compiled.
/// The reflectors write; one reader takes changes.
/// </summary>
public sealed class SnapshotStore
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _whenSynced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ObjectSet<ObjectName, ServiceSnapshot> _services;
    private readonly ObjectSet<ObjectName, EndpointSliceSnapshot> _slices;
    private readonly ObjectSet<string, NodeSnapshot> _nodes;
    private volatile ClusterSnapshot _current = ClusterSnapshot.Empty;
    private volatile IReadOnlyList<CompileIssue> _undecodable = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _arrived;

    public SnapshotStore(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _services = new("Service", n => n, SnapshotContent.Same, ClusterSnapshot.Empty.Services, HaveChanged, _gate);
        _slices = new("EndpointSlice", n => n, SnapshotContent.Same, ClusterSnapshot.Empty.EndpointSlices, HaveChanged, _gate);
        _nodes = new("Node", n => n.Name, SnapshotContent.Same, ClusterSnapshot.Empty.Nodes, HaveChanged, _gate);
    }

    /// <summary>
    /// The cluster as last heard of. Losing the API changes nothing here. Objects that did not change keep their instance.
    /// </summary>
    public ClusterSnapshot Current => _current;

    /// <summary>
    /// <see cref="Current"/>, and what changed in it since the last call: the names, so that
    /// the compiler of the snapshot taken before need not look at the others. One caller.
    /// </summary>
    public ClusterSnapshot Take()
    {
        lock (_gate)
        {
            return !Synced ? _current : _current with { ServiceChanges = _services.TakeChanges(), SliceChanges = _slices.TakeChanges() };
        }
    }

    /// <summary>All kinds were listed completely at least once.</summary>
    public bool Synced => WhenSynced.IsCompleted;

    /// <summary>Completes once <see cref="Synced"/>.</summary>
    public Task WhenSynced => _whenSynced.Task;

    /// <summary>Objects that could not be decoded, in the form of the compiler's own issues: reason "Undecodable".</summary>
    public IReadOnlyList<CompileIssue> Undecodable => _undecodable;

    internal IObjectSink<ServiceSnapshot> Services => _services;
    internal IObjectSink<EndpointSliceSnapshot> EndpointSlices => _slices;
    internal IObjectSink<NodeSnapshot> Nodes => _nodes;

    /// <summary>Completed while there is a change to take; not before the store is synced.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
                return _changed.Task;
        }
    }

    /// <summary>
    /// When the oldest change that was not taken yet arrived (<see cref="TimeProvider.GetTimestamp"/>); null:
    /// there is none, or the store is not synced. Stamped by the watches: the loop that should take it may hang.
    /// </summary>
    public long? OldestUntaken
    {
        get
        {
            lock (_gate)
                return _changed.Task.IsCompleted ? _arrived : null;
        }
    }

    /// <summary>Takes all that changed since the last call, as one change; false if nothing did.</summary>
    public bool TryTake(out SnapshotChange change)
    {
        lock (_gate)
        {
            change = default;
            if (!_changed.Task.IsCompleted)
                return false;
            change = new SnapshotChange(_current, _arrived!.Value);
            _arrived = null;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    /// <summary>
    /// Waits until something changed since it was last taken; any number of changes
    /// in between are one. The first call returns when the store is synced.
    /// </summary>
    public async ValueTask<SnapshotChange> WaitForChangeAsync(CancellationToken ct)
    {
        while (true)
        {
            await Changed.WaitAsync(ct).ConfigureAwait(false);
            if (TryTake(out var change))
                return change;
        }
    }

    /// <summary>Called by the sets, inside the gate.</summary>
    private void HaveChanged()
    {
        _arrived ??= _time.GetTimestamp();
        if (!(_services.Listed && _slices.Listed && _nodes.Listed))
            return;
        _current = new ClusterSnapshot { Services = _services.Items, EndpointSlices = _slices.Items, Nodes = _nodes.Items };
        if (_services.Undecodable.Count + _slices.Undecodable.Count + _nodes.Undecodable.Count + _undecodable.Count > 0)
            _undecodable = [.. _services.Undecodable, .. _slices.Undecodable, .. _nodes.Undecodable];
        if (_whenSynced.TrySetResult())
            _arrived = _time.GetTimestamp(); // parts of a cluster are no change that a pass could apply
        _changed.TrySetResult();
    }
}
