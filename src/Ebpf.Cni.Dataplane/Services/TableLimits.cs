using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Which of the agent's options sizes which table. Names alone: the agent knows how they are set.</summary>
internal static class TableLimits
{
    public const string ServiceOption = "service-table-size";
    public const string BackendOption = "backend-table-size";
    public const string ConntrackTcpOption = "conntrack-tcp-max";
    public const string ConntrackOtherOption = "conntrack-other-max";
    public const string SocketFlowsOption = "socket-flows-max";
    public const string EndpointOption = "endpoint-table-size";
    public const string SourceRangeOption = "source-range-table-size";
    public const string AffinityOption = "affinity-table-size";
    public const string StatOption = "stat-table-size";
    public const string IpcacheOption = "ipcache-table-size";

    /// <summary>Every connection has an entry for each direction.</summary>
    public const uint EntriesPerConnection = 2;

    /// <summary>The entries of a table, and the option that says so; null for one whose size is that of the BPF object.</summary>
    public static (uint Entries, string Option)? Of(DataplaneOptions options, string map) => map switch
    {
        MapNames.Service => (options.ServiceTableSize, ServiceOption),
        MapNames.Backend => (options.BackendTableSize, BackendOption),
        MapNames.ConntrackTcp => (EntriesPerConnection * options.ConntrackTcpMax, ConntrackTcpOption),
        MapNames.ConntrackAny => (EntriesPerConnection * options.ConntrackOtherMax, ConntrackOtherOption),
        MapNames.SockRev or MapNames.SockFlow => (options.SocketFlowsMax, SocketFlowsOption),
        // Connections from outside to pods, with sources kept; each packet of the client puts back what the table has lost.
        MapNames.Return => (options.KeepExternalSource ? AtLeastOne(options.ConntrackTcpMax / 4) : 1, ConntrackTcpOption),
        MapNames.Endpoint or MapNames.Netns => (options.EndpointTableSize, EndpointOption),
        MapNames.SourceRange => (options.SourceRangeTableSize, SourceRangeOption),
        MapNames.Affinity => (options.AffinityTableSize, AffinityOption),
        MapNames.Stat => (options.StatTableSize, StatOption),
        MapNames.Ipcache => (options.IpcacheTableSize, IpcacheOption),
        _ => null,
    };

    /// <summary>
    /// Without socket hooks for all, a socket's own storage is enough for the little that they do; a second frontend of an unconnected
    /// socket is not remembered. (The storages are no tables: they have no size, and stay pinned.)
    /// </summary>
    private static bool HasSocketTables(DataplaneOptions options) => options.SocketLb != SocketLbMode.Off;

    /// <summary>No program needs the table under these options: it is as small as can be, and not pinned.</summary>
    public static bool IsIdle(DataplaneOptions options, string map) => map switch
    {
        MapNames.ConntrackTcpOld or MapNames.ConntrackAnyOld => true,
        MapNames.Return => !options.KeepExternalSource,
        MapNames.SockRev or MapNames.SockFlow or MapNames.Netns => !HasSocketTables(options),
        _ => false,
    };

    private static uint AtLeastOne(uint entries) => Math.Max(entries, 1);

    public static TableFull Service(uint size, uint needed, ObjectName who) => new(MapNames.Service, ServiceOption, size, needed, who);

    public static TableFull Backend(uint size, uint needed, ObjectName who) => new(MapNames.Backend, BackendOption, size, needed, who);

    public static TableFull SourceRange(uint size, uint needed, ObjectName who) =>
        new(MapNames.SourceRange, SourceRangeOption, size, needed, who);
}
