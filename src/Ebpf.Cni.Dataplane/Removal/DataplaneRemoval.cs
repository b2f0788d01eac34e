using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Sockets;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Removal;

/// <summary>
/// Takes a node's dataplane away, in the network namespace of the calling thread: socket hooks, programs on interfaces, the tunnel's
/// device, routes to other nodes' pods, tables. Needs no BPF object and no open <see cref="NodeDataplane"/>: no agent may use the bpffs
/// root, the caller sees to that. Idempotent; what other components made stays.
/// </summary>
public static class DataplaneRemoval
{
    /// <param name="bpffsRoot">The agent's (--bpffs-root).</param>
    /// <param name="report">Gets what was removed, left and refused.</param>
    public static void Run(string bpffsRoot, RemovalReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var pins = new PinLayout(bpffsRoot);
        // New connections first: what is translated at the socket needs no other program afterwards.
        report.Try("socket hooks", () => RemoveSocketHooks(pins, report));
        RemoveLinks(pins.UplinkLinks, "uplinks and lo", report);
        RemoveLinks(pins.OverlayLinks, "the tunnel's device", report);
        RemoveLinks(pins.PodLinks, "pods' interfaces", report);
        ClsactRemoval.Run(pins, report);
        report.Try($"interface {OverlayOptions.DeviceName}", () => RemoveTunnel(report));
        report.Try("routes", () => RemoveRoutes(report));
        report.Try(bpffsRoot, () => RemovePins(bpffsRoot, report));
    }

    private static void RemoveSocketHooks(PinLayout pins, RemovalReport report)
    {
        var hooks = Pins(pins.SocketLinks).Length;
        SocketPrograms.Detach(pins);
        if (hooks > 0)
            report.Remove($"{hooks} socket hooks");
    }

    private static void RemoveLinks(string directory, string where, RemovalReport report)
    {
        var removed = 0;
        foreach (var pin in Pins(directory))
        {
            report.Try(pin, () =>
            {
                PinnedLink.Remove(pin);
                removed++;
            });
        }

        if (removed > 0)
            report.Remove($"{removed} programs on {where} (tcx links)");
    }

    private static void RemoveTunnel(RemovalReport report)
    {
        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(OverlayOptions.DeviceName) is not { Vxlan: not null })
            return;
        OverlayDevice.Remove();
        report.Remove($"interface {OverlayOptions.DeviceName}");
    }

    private static void RemoveRoutes(RemovalReport report)
    {
        using var netlink = RouteNetlink.Open();
        var removed = 0;
        foreach (var route in netlink.Routes(RouteTable.Protocol))
        {
            try
            {
                netlink.DeleteRoute(route);
                removed++;
            }
            catch (KernelException e) when (e.Errno is Errno.ESRCH or Errno.ENODEV)
            {
                // It went with its interface.
            }
        }

        if (removed > 0)
            report.Remove($"{removed} routes of protocol {RouteTable.Protocol}");
    }

    private static void RemovePins(string root, RemovalReport report)
    {
        if (!Directory.Exists(root))
            return;
        Directory.Delete(root, recursive: true);
        report.Remove($"{root} with all tables");
    }

    private static string[] Pins(string directory) => Directory.Exists(directory) ? Directory.GetFiles(directory) : [];
}
