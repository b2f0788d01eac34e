using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>A pod's network namespace that no kubelet knows, for tests that run plugins themselves.</summary>
internal sealed class TestNamespace : IDisposable
{
    public TestNamespace(SandboxNode node)
    {
        Path = $"{node.NamespacePath}-test-{Guid.NewGuid():N}";
        Namespace = NetworkNamespace.Create(Path);
        node.Mounts.Show(Namespace, Path);
    }

    public string Path { get; }

    public NetworkNamespace Namespace { get; }

    public void Dispose()
    {
        Namespace.Dispose();
        NetworkNamespace.Remove(Path);
    }
}
