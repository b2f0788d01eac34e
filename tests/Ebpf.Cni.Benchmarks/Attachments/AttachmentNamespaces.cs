using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.Benchmarks.Attachments;

/// <summary>The pods' network namespaces, made once: what making one costs is no contestant's.</summary>
internal sealed class AttachmentNamespaces : IDisposable
{
    private readonly List<NetworkNamespace> _made = [];

    public AttachmentNamespaces(int count)
    {
        try
        {
            for (var i = 0; i < count; i++)
            {
                NetworkNamespace.Remove(PathOf(i));
                _made.Add(NetworkNamespace.Create(PathOf(i)));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int Count => _made.Count;

    /// <summary>Lets the node's agent see them.</summary>
    public void ShowTo(SandboxNode node)
    {
        for (var i = 0; i < _made.Count; i++)
            node.Mounts.Show(_made[i], PathOf(i));
    }

    public static string PathOf(int pod) => $"/run/netns/ecni-bench-pod-{pod}";

    public void Dispose()
    {
        for (var i = 0; i < _made.Count; i++)
        {
            _made[i].Dispose();
            NetworkNamespace.Remove(PathOf(i));
        }
        _made.Clear();
    }
}
