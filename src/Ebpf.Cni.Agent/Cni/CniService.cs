using Ebpf.Cni.Agent.Ipam;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Agent.Node;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Agent.Sync;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>Pods' networking, once the dataplane is open: the node's settings, the predecessor's pods, then requests.</summary>
public sealed class CniService(
    DataplaneHolder holder, AddressStore store, NodeSetup node, AgentOptions options, CniMetrics metrics, SyncStatus status, TimeProvider time,
    ILoggerFactory logs) : BackgroundService
{
    /// <summary>A new node gets its podCIDR within seconds; kubelet waits minutes for an ADD.</summary>
    private static readonly TimeSpan RangesLimit = TimeSpan.FromSeconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        node.Run();
        var network = new VethPodNetwork(new UplinkMtu(options.Mtu, time));
        var programs = new DataplaneEndpointPrograms(dataplane);
        new EndpointAdoption(store, network, programs, logs.CreateLogger<EndpointAdoption>()).Run();

        using var handler = new CniHandler(
            store, network, programs, new CniLimits(options.CniParallel, RangesLimit), logs.CreateLogger<CniHandler>());
        using var server = new CniServer(options.CniSocket, handler.HandleAsync, metrics, logs.CreateLogger<CniServer>());
        server.Open();
        status.ServingCni();
        await server.RunAsync(stoppingToken);
    }
}

/// <summary>Tells the container runtime of us, once there is something to tell.</summary>
public sealed class CniInstallation(CniInstaller installer, SyncStatus status) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.WhenAll(status.FirstSync, status.CniServing).WaitAsync(stoppingToken);
        installer.Install();
    }
}
