using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// All that follows from one service and its slices alone: everything but ids and what other services claim. What a cache keeps;
/// valid as long as service and slices are the same objects.
/// </summary>
internal sealed class CompiledService(
    ObjectName name, ServiceSnapshot source, ServiceSlices slices, CompiledPort[] ports, DesiredHealthCheck? healthCheck, CompileIssue[] issues)
{
    public ObjectName Name { get; } = name;
    public ServiceSnapshot Source { get; } = source;
    public ServiceSlices Slices { get; } = slices;

    /// <summary>Sorted by name.</summary>
    public CompiledPort[] Ports { get; } = ports;

    public DesiredHealthCheck? HealthCheck { get; } = healthCheck;

    /// <summary>The service's and its slices'.</summary>
    public CompileIssue[] Issues { get; } = issues;
}
