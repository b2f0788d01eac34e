using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;

namespace Ebpf.Cni.Agent.Options;

/// <summary>What of the agent's options is the dataplane's.</summary>
public static class NodeDataplaneOptions
{
    /// <param name="options">As read.</param>
    /// <param name="sizes">For the node's memory: where an option is 0.</param>
    public static DataplaneOptions From(AgentOptions options, TableSizes sizes)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(sizes);
        return new DataplaneOptions
        {
            BpffsRoot = options.BpffsRoot,
            ObjectDirectory = options.BpfObjects,
            CgroupRoot = options.CgroupRoot,
            SocketLb = options.SocketLb,
            Masquerade = options.MasqueradesPods,
            Chained = options.CniMode == CniMode.Chained,
            KeepExternalSource = options.ExternalSource == ExternalSource.Keep,
            BindGuard = options.BindGuard,
            ConntrackTimeouts = options.ConntrackTimeouts,
            TunnelPort = options.EffectiveRouting is RoutingMode.Auto or RoutingMode.Tunnel ? options.TunnelPort : (ushort)0,
            DropEvents = options.DropLog,
            RefusalRate = options.RefusalRate,
            DropRecordRate = options.DropRecordRate,
        }.With(new TableSizes
        {
            Services = Given(options.ServiceTableSize, sizes.Services),
            Backends = Given(options.BackendTableSize, sizes.Backends),
            ConntrackTcp = Given(options.ConntrackTcpMax, sizes.ConntrackTcp),
            ConntrackOther = Given(options.ConntrackOtherMax, sizes.ConntrackOther),
            SocketFlows = Given(options.SocketFlowsMax, sizes.SocketFlows),
            Endpoints = Given(options.EndpointTableSize, sizes.Endpoints),
            Affinity = Given(options.AffinityTableSize, sizes.Affinity),
            SourceRanges = Given(options.SourceRangeTableSize, sizes.SourceRanges),
            Stats = Given(options.StatTableSize, sizes.Stats),
            Ipcache = Given(options.IpcacheTableSize, sizes.Ipcache),
        });
    }

    private static uint Given(uint option, uint computed) => option == 0 ? computed : option;
}
