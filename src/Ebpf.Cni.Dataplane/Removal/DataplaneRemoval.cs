using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Sockets;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Host;
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
        report.Try(bpffsRoot, () => RemovePins(pins, report));
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

    /// <summary>By name, and from a bpffs alone: the option may name a directory that other components use too.</summary>
    private static void RemovePins(PinLayout pins, RemovalReport report)
    {
        if (!Directory.Exists(pins.Root))
            return;
        if (!BpfFileSystem.IsInside(pins.Root))
        {
            report.Leave($"{pins.Root}: it is in no bpffs, and no agent's");
            return;
        }

        // Which qdiscs are the agent's is needed again when the command is repeated.
        var complete = report.Failures.Count == 0;
        var ours = complete ? pins.Directories : pins.Directories.Except([pins.Qdiscs]);
        var removed = ours.Where(Directory.Exists).ToList();
        foreach (var directory in removed)
            Directory.Delete(directory, recursive: true);
        if (removed.Count > 0)
            report.Remove($"all tables in {pins.Root}");
        // Names with dots are the kernel's own: it has some in every bpffs.
        var left = Directory.EnumerateFileSystemEntries(pins.Root).Select(e => Path.GetFileName(e)!)
            .Where(n => !n.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        if (left.Count > 0)
            report.Leave($"{pins.Root} with {string.Join(", ", left)}: {(complete ? "no agent made them" : "for the next attempt")}");
        else if (MountTable.FindPath(pins.Root) is not null)
            report.Leave($"{pins.Root}: it is empty, and a mount point");
        else
            Directory.Delete(pins.Root);
    }

    private static string[] Pins(string directory) => Directory.Exists(directory) ? Directory.GetFiles(directory) : [];
}
