using Ebpf.Cni.Agent.Cni;

namespace Ebpf.Cni.Agent.Tests.Cni;

/// <summary>A kernel that has every port at once, and counts who waited for it.</summary>
internal sealed class NoHostPorts : IHostPorts
{
    public int Waits { get; private set; }

    public Task AppliedAsync(TimeSpan limit, CancellationToken cancel)
    {
        Waits++;
        return Task.CompletedTask;
    }
}
