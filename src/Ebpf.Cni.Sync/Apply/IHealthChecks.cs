using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>The health check node ports of Services with externalTrafficPolicy Local.</summary>
public interface IHealthChecks
{
    /// <summary>Makes the listeners exactly those of the state.</summary>
    /// <returns>Those that cannot be opened, each with the cause; call again to try again.</returns>
    ImmutableArray<(DesiredHealthCheck Check, string Cause)> Apply(DesiredState desired);
}
