using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// All that follows from one service and its slices alone: everything but ids and what
/// other services claim. Valid as long as service and slices are the same objects.
/// </summary>
internal sealed class CompiledService(
    ServiceSnapshot source,
    ServiceSlices slices,
    CompiledPort[] ports,
    DesiredHealthCheck? healthCheck,
    CompileIssue[] issues,
    ReadSlices read)
{
    public ServiceSnapshot Source { get; } = source;
    public ServiceSlices Slices { get; } = slices;

    /// <summary>Sorted by name.</summary>
    public CompiledPort[] Ports { get; } = ports;

    public DesiredHealthCheck? HealthCheck { get; } = healthCheck;

    /// <summary>The service's and its slices'.</summary>
    public CompileIssue[] Issues { get; } = issues;

    /// <summary>Of a service with many slices: the slices as read, for the next compile.</summary>
    public ReadSlices Read { get; } = read;
}
