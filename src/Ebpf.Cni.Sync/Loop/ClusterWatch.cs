using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>Runs the watches; started first, since everything waits for their first answers.</summary>
public sealed partial class ClusterWatch(ClusterWatcher watcher, KubernetesConnection connection, ILogger<ClusterWatch> log)
    : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Log.Connecting(log, connection.BaseAddress, connection.Source);
        return watcher.RunAsync(stoppingToken);
    }

    private static partial class Log
    {
        [LoggerMessage(3311, LogLevel.Information, "API server: watching {Address} (credentials: {Source})")]
        public static partial void Connecting(ILogger log, Uri address, string source);
    }
}

/// <summary>Posts events about objects that cannot be served.</summary>
public sealed class EventPosting(IssueEvents events) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => events.RunAsync(stoppingToken);
}
