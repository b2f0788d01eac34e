using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Tests.Requests;

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
