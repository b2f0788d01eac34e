using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>A test in a network namespace of its own, which dies with it.</summary>
public abstract class NodeTest : IDisposable
{
    private readonly NetworkNamespace _node = NetworkNamespace.CreateAnonymous();

    private protected Playground Ground { get; } = new();

    public void Dispose()
    {
        Ground.Dispose();
        _node.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected void OnNode(Action<RouteNetlink> test) => _node.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        test(netlink);
    });

    /// <summary>The pinned links of a kind ("pod", "uplink"), by the name of their pins.</summary>
    private protected SortedDictionary<string, BpfLinkInfo> PinnedLinks(string kind)
    {
        var links = new SortedDictionary<string, BpfLinkInfo>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(Path.Combine(Ground.Options.BpffsRoot, "links", kind)))
        {
            using var link = BpfLink.OpenPinned(path);
            links.Add(Path.GetFileName(path), link.Info);
        }

        return links;
    }
}
