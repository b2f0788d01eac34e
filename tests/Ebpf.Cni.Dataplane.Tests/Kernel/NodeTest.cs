using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Uplinks;
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

    /// <summary>An uplink whose other end is in another namespace, and the default route through it.</summary>
    private protected static UplinkDevice Outside(RouteNetlink netlink, NetworkNamespace outside)
    {
        var veth = netlink.AddVeth("up0", "out0", outside);
        netlink.SetUp(veth.Index);
        netlink.AddAddress(veth.Index, IPAddress.Parse("198.51.100.10"), 24);
        using (var there = RouteNetlink.Open(outside))
        {
            var far = there.FindLink("out0")!;
            there.SetUp(far.Index);
            there.AddAddress(far.Index, IPAddress.Parse("198.51.100.99"), 24);
            there.ReplaceNeighbour(far.Index, IPAddress.Parse("198.51.100.10"), veth.Mac);
            netlink.ReplaceNeighbour(veth.Index, IPAddress.Parse("198.51.100.99"), far.Mac);
        }
        netlink.AddRoute(new Route(IPNetwork.Parse("0.0.0.0/0"), veth.Index) { Gateway = IPAddress.Parse("198.51.100.99") });
        return new UplinkDevice(veth.Index, "up0", Addr.Parse("198.51.100.10"), null);
    }

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
