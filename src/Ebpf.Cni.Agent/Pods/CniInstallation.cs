using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>
/// Installs the CNI configuration and plugin once pods can be started: the container runtime then reports the network as ready.
/// </summary>
public sealed partial class CniInstallation(
    CniInstaller installer, SyncStatus status, EndpointStore store, AgentOptions options, TimeProvider time, ILogger<CniInstallation> log)
    : BackgroundService, IEndsByItself
{
    /// <summary>In chained mode: how often the other plugin's configuration is looked at. It may come after us, and change.</summary>
    private static readonly TimeSpan LookingPeriod = TimeSpan.FromSeconds(5);

    private readonly long _started = time.GetTimestamp();
    private string? _trouble;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var chained = options.CniMode == CniMode.Chained;
        await Task.WhenAll(status.FirstSync, status.CniServing, chained ? Task.CompletedTask : store.RangesKnown).WaitAsync(stoppingToken);
        if (!chained)
            installer.Install();
        Log.Ready(log, time.GetElapsedTime(_started).TotalSeconds, options.MetricsAddress, options.HealthzAddress);
        if (!chained)
            return;
        using var timer = new PeriodicTimer(LookingPeriod, time);
        do
            InstallChained();
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private void InstallChained()
    {
        string? trouble;
        try
        {
            trouble = installer.InstallChained();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = e.Message;
        }

        if (trouble is not null && trouble != _trouble)
            Log.NotChained(log, trouble);
        _trouble = trouble;
    }

    private static partial class Log
    {
        [LoggerMessage(3162, LogLevel.Information,
            "ready after {Seconds:0.0} s: metrics at http://{Metrics}/metrics, health at http://{Health}/healthz and /readyz")]
        public static partial void Ready(ILogger log, double seconds, System.Net.IPEndPoint metrics, System.Net.IPEndPoint health);

        [LoggerMessage(3163, LogLevel.Warning, "CNI: the runtime does not call this agent's plugin (--cni-mode chained): {Cause}")]
        public static partial void NotChained(ILogger log, string cause);
    }
}
