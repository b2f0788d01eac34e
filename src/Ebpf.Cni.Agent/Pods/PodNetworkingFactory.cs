using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Repair;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>Makes the parts of pods' networking out of an open dataplane. Nothing is decided here.</summary>
public sealed class PodNetworkingFactory(
    EndpointStore store, NodeState node, PodMtu mtu, SysctlTree sysctl, SyncStatus status, AgentOptions options, TimeProvider time,
    ILoggerFactory logs)
{
    /// <summary>A new node gets its podCIDR within seconds; kubelet waits minutes for an ADD.</summary>
    private static readonly TimeSpan RangesLimit = TimeSpan.FromSeconds(20);

    /// <summary>An apply takes milliseconds; whatever keeps it is no reason to keep a pod.</summary>
    private static readonly TimeSpan HostPortsLimit = TimeSpan.FromSeconds(2);

    /// <param name="dataplane">Open.</param>
    /// <param name="ensureSettings">Sets the node's settings again where another program changed them.</param>
    public PodNetworking Create(NodeDataplane dataplane, Action ensureSettings)
    {
        ArgumentNullException.ThrowIfNull(dataplane);
        var chained = options.CniMode == CniMode.Chained;
        var devices = new PodDevices();
        var connections = new PodConnections(dataplane.Conntrack.PurgeAddresses, time, logs.CreateLogger<PodConnections>());
        // A former agent may have been killed before it removed the connections of deleted pods.
        connections.End(store.Rests);
        var network = new PodNetworks(new VethPodNetwork(mtu, sysctl));
        var attachment = new AttachmentChoice(options.PodAttachment, chained, options.CniConfDir);
        var programs = new DataplaneEndpointPrograms(dataplane, attachment.Links, connections, devices);
        var pending = new PendingDeletes(PendingDelete.DirectoryBeside(options.CniSocket), logs.CreateLogger<PendingDeletes>());
        var limits = new CniLimits(options.CniParallel, RangesLimit, HostPortsLimit) { Current = () => status.Healthy, Chained = chained };
        var handler = new CniHandler(store, network, programs, node, pending, limits, logs.CreateLogger<CniHandler>());
        var losses = new NodeLosses(devices, node, dataplane.Routes.Wants);
        return new PodNetworking(
            handler,
            new EndpointAdoption(store, network, programs, pending, logs.CreateLogger<EndpointAdoption>()),
            new LossRepair(handler, node, losses, ensureSettings, time, logs.CreateLogger<LossRepair>()));
    }
}

/// <summary>Pods' networking on an open dataplane.</summary>
/// <param name="Handler">Executes CNI requests.</param>
/// <param name="Adoption">Takes over the pods of a former agent.</param>
/// <param name="Repair">Restores network state that another program removed.</param>
public sealed record PodNetworking(CniHandler Handler, EndpointAdoption Adoption, LossRepair Repair) : IDisposable
{
    public void Dispose() => Handler.Dispose();
}
