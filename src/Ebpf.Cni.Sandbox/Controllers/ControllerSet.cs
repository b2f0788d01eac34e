using Ebpf.Cni.Sandbox.Api;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>All controllers of the cluster, running until disposed.</summary>
public sealed class ControllerSet : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    private ControllerSet(IEnumerable<Controller> controllers) =>
        _running = Task.WhenAll(controllers.Select(c => Task.Run(() => c.RunAsync(_stop.Token))));

    /// <summary>Ends only when disposed, or with the error that stopped a controller.</summary>
    public Task Completion => _running;

    public static ControllerSet Start(ResourceService resources, ILogger logger, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        var events = new EventRecorder(resources, time);
        return new ControllerSet(
        [
            new Scheduler(resources, events, time, logger),
            new DeploymentController(resources, events, time, logger),
            new ReplicaSetController(resources, events, logger),
            new DaemonSetController(resources, events, logger),
            new EndpointSliceController(resources, time, logger),
            new GarbageCollector(resources, logger),
        ]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // That is how they stop.
        }

        _stop.Dispose();
    }
}
