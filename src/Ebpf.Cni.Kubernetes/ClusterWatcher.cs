using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Watching;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Kubernetes;

/// <summary>
/// Watches services, endpoint slices and nodes into a <see cref="SnapshotStore"/>. What is never served is left out by the
/// API server itself (<see cref="Kinds"/>); the compiler ignores the same objects without a word, so that no issue is lost.
/// </summary>
public sealed class ClusterWatcher
{
    private readonly Reflector<ServiceSnapshot> _services;
    private readonly Reflector<EndpointSliceSnapshot> _slices;
    private readonly Reflector<NodeSnapshot> _nodes;

    public ClusterWatcher(
        KubernetesConnection connection, SnapshotStore store, ILogger<ClusterWatcher> log, TimeProvider? time = null,
        WatchOptions? options = null)
        : this(connection, store, log, time, options, Random.Shared)
    {
    }

    internal ClusterWatcher(
        KubernetesConnection connection, SnapshotStore store, ILogger log, TimeProvider? time, WatchOptions? options, Random random)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(store);
        var clock = time ?? TimeProvider.System;
        var settings = options ?? WatchOptions.Default;
        var api = new ApiReader(connection.Http, clock);
        _services = new(Kinds.Services, store.Services, api, settings, clock, random, log);
        _slices = new(Kinds.EndpointSlices, store.EndpointSlices, api, settings, clock, random, log);
        _nodes = new(Kinds.Nodes, store.Nodes, api, settings, clock, random, log);
    }

    /// <summary>One state a kind: Service, EndpointSlice, Node.</summary>
    public IReadOnlyList<ReflectorState> States => [_services.State, _slices.State, _nodes.State];

    /// <summary>
    /// Runs until cancelled, and returns then. Trouble with the API never ends it; an exception is a bug and is meant to stop the host,
    /// since a reflector that silently died would leave the node with yesterday's cluster.
    /// </summary>
    public async Task RunAsync(CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task[] running =
        [
            Task.Run(() => _services.RunAsync(stop.Token), stop.Token),
            Task.Run(() => _slices.RunAsync(stop.Token), stop.Token),
            Task.Run(() => _nodes.RunAsync(stop.Token), stop.Token),
        ];
        try
        {
            await await Task.WhenAny(running).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
