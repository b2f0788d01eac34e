using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Cleanup;

/// <summary>
/// --cleanup-kube-proxy: once, and not before this agent serves what kube-proxy's rules serve, so that there is no moment without either.
/// </summary>
public sealed partial class KubeProxyCleanupService(SyncStatus status, ILogger<KubeProxyCleanupService> log)
    : BackgroundService, IEndsByItself
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await status.FirstSync.WaitAsync(stoppingToken);
        var report = await Task.Run(() => KubeProxyCleanup.Run(), stoppingToken);
        foreach (var removed in report.Removed)
            Log.Removed(log, removed);
        foreach (var missing in report.MissingPrograms)
            Log.Missing(log, missing);
        foreach (var failure in report.Failures)
            Log.Failed(log, failure);
        Log.Done(log, report.Removed.Count);
    }

    private static partial class Log
    {
        [LoggerMessage(3601, LogLevel.Information, "--cleanup-kube-proxy: removed kube-proxy's {What}")]
        public static partial void Removed(ILogger log, string what);

        [LoggerMessage(3602, LogLevel.Warning,
            "--cleanup-kube-proxy: {Program} is not on PATH; kube-proxy's rules of that kind, if any, stay")]
        public static partial void Missing(ILogger log, string program);

        [LoggerMessage(3603, LogLevel.Error, "--cleanup-kube-proxy: {Cause}")]
        public static partial void Failed(ILogger log, string cause);

        [LoggerMessage(3604, LogLevel.Information,
            "--cleanup-kube-proxy: {Count} leftovers removed; delete kube-proxy's DaemonSet, else it recreates them")]
        public static partial void Done(ILogger log, int count);
    }
}
