using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Which of the agent's options sizes which table.</summary>
internal static class TableLimits
{
    public const string ServiceOption = "--service-table-size";
    public const string BackendOption = "--backend-table-size";
    public const string ConntrackOption = "--conntrack-table-size";
    public const string EndpointOption = "--endpoint-table-size";
    public const string SourceRangeOption = "--source-range-table-size";
    public const string AffinityOption = "--affinity-table-size";
    public const string StatOption = "--stat-table-size";
    public const string IpcacheOption = "--ipcache-table-size";

    public static TableFull Service(uint size, uint needed, ObjectName who) => new(MapNames.Service, ServiceOption, size, needed, who);

    public static TableFull Backend(uint size, uint needed, ObjectName who) => new(MapNames.Backend, BackendOption, size, needed, who);

    public static TableFull SourceRange(uint size, uint needed, ObjectName who) => new(MapNames.SourceRange, SourceRangeOption, size, needed, who);
}
