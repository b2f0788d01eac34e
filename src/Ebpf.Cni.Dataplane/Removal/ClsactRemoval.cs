using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Removal;

/// <summary>
/// Removes the agent's clsact filters, which have no pins: every interface is asked for those of its priority and handles. Then the qdisc,
/// where an agent made it and no other filter is in it.
/// </summary>
internal static class ClsactRemoval
{
    private static readonly uint[] Handles = [PodPrograms.FilterHandle, UplinkPrograms.FilterHandle, OverlayPrograms.FilterHandle];

    public static void Run(PinLayout pins, RemovalReport report) => report.Try("clsact filters", () =>
    {
        using var netlink = RouteNetlink.Open();
        foreach (var link in netlink.Links())
            report.Try($"clsact filters on {link.Name}", () => Clear(link, pins, report));
    });

    private static void Clear(LinkInfo link, PinLayout pins, RemovalReport report)
    {
        if (!ClsactFilter.HasQdisc(link.Index))
            return;
        try
        {
            var removed = RemoveFilters(link.Index);
            if (removed > 0)
                report.Remove($"{removed} programs on {link.Name} (clsact filters)");
            RemoveQdisc(link, pins.MadeQdisc(link.Index), removed > 0, report);
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            // The interface went, and all of it with it.
        }
    }

    private static int RemoveFilters(int ifindex)
    {
        var removed = 0;
        foreach (var direction in Enum.GetValues<TcDirection>())
        {
            foreach (var handle in Handles)
            {
                if (!ClsactFilter.Exists(ifindex, direction, PodPrograms.FilterPriority, handle))
                    continue;
                ClsactFilter.Detach(ifindex, direction, PodPrograms.FilterPriority, handle);
                removed++;
            }
        }

        return removed;
    }

    private static void RemoveQdisc(LinkInfo link, bool made, bool used, RemovalReport report)
    {
        var empty = ClsactFilter.HasNoFilter(link.Index);
        if (made && empty)
        {
            ClsactFilter.DeleteQdisc(link.Index);
            report.Remove($"clsact qdisc of {link.Name}");
        }
        else if (made)
        {
            report.Leave($"the clsact qdisc of {link.Name}: filters of other programs are in it");
        }
        else if (used && empty)
        {
            report.Leave(
                $"the clsact qdisc of {link.Name}, which is empty and has no effect: "
                + $"another program may have made it (tc qdisc del dev {link.Name} clsact)");
        }
    }
}
