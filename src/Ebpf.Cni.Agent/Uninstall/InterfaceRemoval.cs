using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>
/// Deletes the node's side of pods' veths, with the pods' sides, routes, neighbours and programs. An interface is the agent's if its
/// alias says so, or a record names it; another plugin's interfaces (--cni-mode chained) stay.
/// </summary>
internal static class InterfaceRemoval
{
    public static void Run(IReadOnlyList<EndpointRecord> records, RemovalReport report) => report.Try("pods' interfaces", () =>
    {
        var recorded = records.Where(r => r.Foreign is null).Select(r => r.Key.HostInterface).ToHashSet();
        using var netlink = RouteNetlink.Open();
        foreach (var link in netlink.Links().Where(l => EndpointKey.IsOurs(l.Name, l.Alias) || recorded.Contains(l.Name)))
            report.Try($"interface {link.Name}", () => Delete(netlink, link, report));
    });

    private static void Delete(RouteNetlink netlink, LinkInfo link, RemovalReport report)
    {
        try
        {
            netlink.DeleteLink(link.Index);
            report.Remove($"interface {link.Name} ({link.Alias})");
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            // Its pod's namespace went, and took the pair along.
        }
    }
}
