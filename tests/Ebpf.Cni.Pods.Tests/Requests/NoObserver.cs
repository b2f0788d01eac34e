using Ebpf.Cni.Pods.Requests;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>For tests that look at answers only.</summary>
internal sealed class NoObserver : ICniObserver
{
    public void Handled(string command, int code, TimeSpan took)
    {
    }
}
