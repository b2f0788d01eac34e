using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>Pods' networking, once the dataplane is open: the node's settings, the predecessor's pods, then requests.</summary>
public sealed partial class CniService(
    DataplaneHolder holder, EndpointStore store, NodeSetup setup, NodeState node, PodMtu mtu, SysctlTree sysctl, AgentOptions options, ICniObserver observer, CniRefusals refusals, SyncStatus status,
    TimeProvider time, ILoggerFactory logs) : BackgroundService
{
    /// <summary>A new node gets its podCIDR within seconds; kubelet waits minutes for an ADD.</summary>
    private static readonly TimeSpan RangesLimit = TimeSpan.FromSeconds(20);

    /// <summary>An apply takes milliseconds; whatever keeps it is no reason to keep a pod.</summary>
    private static readonly TimeSpan HostPortsLimit = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PendingPeriod = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        var chained = options.CniMode == CniMode.Chained;
        var devices = new PodDevices();
        var connections = new PodConnections(dataplane.Conntrack.PurgeAddresses, time, logs.CreateLogger<PodConnections>());
        // The agent before may have been killed with some of them pending.
        connections.End(store.Rests);
        var network = new PodNetworks(new VethPodNetwork(mtu, sysctl));
        var attachment = new AttachmentChoice(options.PodAttachment, chained, options.CniConfDir);
        var programs = new DataplaneEndpointPrograms(dataplane, attachment.Links, connections, devices);
        var pending = new PendingDeletes(PendingDelete.DirectoryBeside(options.CniSocket), logs.CreateLogger<PendingDeletes>());
        var limits = new CniLimits(options.CniParallel, RangesLimit, HostPortsLimit) { Current = () => status.Healthy, Chained = chained };
        using var handler = new CniHandler(store, network, programs, node, pending, limits, logs.CreateLogger<CniHandler>());
        Settings();
        var repair = new LossRepair(
            handler, node, new NodeLosses(devices, node, dataplane.Routes.Wants), Settings, time, logs.CreateLogger<LossRepair>());
        new EndpointAdoption(store, network, programs, pending, logs.CreateLogger<EndpointAdoption>()).Run();

        using var server = new CniServer(
            options.CniSocket, (request, cancel) => refusals.Watch(handler.HandleAsync, request, cancel), observer, time, logs.CreateLogger<CniServer>());
        server.Open();
        status.ServingCni();
        if (!chained)
            LogMtu(logs.CreateLogger<CniService>());
        var statusFile = new StatusFile(
            LastStatus.PathBeside(options.CniSocket), handler.Unavailable, time, logs.CreateLogger<StatusFile>());
        await LoopsTogether.RunAsync(
            stoppingToken, server.RunAsync, cancel => WatchPending(handler, cancel), cancel => VerifyPods(handler, cancel),
            repair.RunAsync, statusFile.RunAsync);
    }

    /// <summary>Of the node, for its pods: behind another plugin they are that one's affair.</summary>
    private void Settings()
    {
        if (options.CniMode != CniMode.Chained)
            setup.Run(store.Ranges.Select(r => r.Family));
        setup.TranslateOwnPackets();
    }

    private async Task VerifyPods(CniHandler handler, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(options.VerifyPeriod, time);
        while (await timer.WaitForNextTickAsync(cancel))
        {
            Settings();
            await handler.VerifyAsync(cancel);
        }
    }

    /// <summary>
    /// DELs that were queued while no agent was there, first; and a plugin may find this agent gone for a moment.
    /// Looking now and then is enough: only a request for the same name or address waits for it, and does it itself.
    /// </summary>
    private async Task WatchPending(CniHandler handler, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(PendingPeriod, time);
        do
            await handler.DeletePendingAsync(cancel);
        while (await timer.WaitForNextTickAsync(cancel));
    }

    private void LogMtu(ILogger<CniService> log)
    {
        try
        {
            Log.Mtu(log, mtu.Value, options.Mtu > 0 ? "--mtu" : "from the MTU of the uplinks");
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            // The next ADD reads it again, and logs it then.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3161, LogLevel.Information, "pod MTU: {Mtu} ({Source})")]
        public static partial void Mtu(ILogger log, int mtu, string source);
    }
}
