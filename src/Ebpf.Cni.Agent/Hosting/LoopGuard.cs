namespace Ebpf.Cni.Agent.Hosting;

/// <summary>Marks background services whose work has an end: the agent goes on without them.</summary>
internal interface IEndsByItself;

/// <summary>
/// An agent without one of its loops looks healthy and is not: whichever ends unasked, by a fault or without
/// one, is named in the log, and stops the agent. Kubelet starts another; the dataplane forwards meanwhile.
/// </summary>
internal sealed partial class LoopGuard(IServiceProvider services, IHostApplicationLifetime lifetime, ILogger<LoopGuard> log)
    : IHostedLifecycleService
{
    private volatile bool _tripped;

    /// <summary>The agent stops for a fault of its own.</summary>
    public bool Tripped => _tripped;

    /// <summary>
    /// The host itself would stop for a fault as well, and might be gone before this has seen it: with an exit code that says all is well.
    /// </summary>
    public static void StopAlone(HostOptions host) => host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var loop in services.GetServices<IHostedService>().OfType<BackgroundService>())
            _ = WatchAsync(loop, loop.ExecuteTask ?? Task.CompletedTask);
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task WatchAsync(BackgroundService loop, Task running)
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (running.IsFaulted)
            Log.Failed(log, loop.GetType().Name, running.Exception.GetBaseException());
        else if (loop is not IEndsByItself && !lifetime.ApplicationStopping.IsCancellationRequested)
            Log.Ended(log, loop.GetType().Name);
        else
            return;
        _tripped = true;
        lifetime.StopApplication();
    }

    private static partial class Log
    {
        [LoggerMessage(3002, LogLevel.Critical, "{Loop} failed; the agent exits and its DaemonSet restarts it")]
        public static partial void Failed(ILogger log, string loop, Exception e);

        [LoggerMessage(3003, LogLevel.Critical,
            "{Loop} has ended unexpectedly; the agent exits and its DaemonSet restarts it")]
        public static partial void Ended(ILogger log, string loop);
    }
}
