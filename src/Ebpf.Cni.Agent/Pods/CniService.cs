using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>Pods' networking, once the dataplane is open: the node's settings, a former agent's pods, then requests.</summary>
public sealed class CniService(
    DataplaneHolder holder, PodNetworkingFactory pods, PodSettings settings, CniServing serving, SyncStatus status, AgentOptions options,
    TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan PendingPeriod = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var networking = pods.Create(await holder.Opened.WaitAsync(stoppingToken), settings.Ensure);
        var handler = networking.Handler;
        settings.Ensure();
        networking.Adoption.Run();

        using var server = serving.Server(handler);
        server.Open();
        status.ServingCni();
        settings.LogMtu();
        await LoopsTogether.RunAsync(
            stoppingToken, server.RunAsync, cancel => WatchPending(handler, cancel), cancel => VerifyPods(handler, cancel),
            networking.Repair.RunAsync, serving.StatusFile(handler).RunAsync);
    }

    private async Task VerifyPods(CniHandler handler, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(options.VerifyPeriod, time);
        while (await timer.WaitForNextTickAsync(cancel))
        {
            settings.Ensure();
            await handler.VerifyAsync(cancel);
        }
    }

    /// <summary>
    /// DELs that were queued while no agent ran come first; and a plugin may find this agent gone for a moment.
    /// Looking now and then is enough: only a request for the same name or address waits for it, and does it itself.
    /// </summary>
    private async Task WatchPending(CniHandler handler, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(PendingPeriod, time);
        do
            await handler.DeletePendingAsync(cancel);
        while (await timer.WaitForNextTickAsync(cancel));
    }
}
