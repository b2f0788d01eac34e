using System.Globalization;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// Where pins are. Everything below the root is ours: maps/(map), links/socket/(hook), links/pod/(interface)_(direction),
/// links/uplink/(interface index)_(direction), links/overlay/(direction), and qdiscs/(interface index), a directory for each clsact qdisc
/// that an agent made on an uplink or lo. A bpffs refuses names with dots.
/// </summary>
public sealed class PinLayout(string root)
{
    public string Root => root;

    /// <summary>All that an agent makes below the root.</summary>
    public IEnumerable<string> Directories => [Maps, Path.Combine(root, "links"), Qdiscs];

    public string Maps { get; } = Path.Combine(root, "maps");

    public string SocketLinks { get; } = Path.Combine(root, "links", "socket");

    public string PodLinks { get; } = Path.Combine(root, "links", "pod");

    public string UplinkLinks { get; } = Path.Combine(root, "links", "uplink");

    public string OverlayLinks { get; } = Path.Combine(root, "links", "overlay");

    /// <summary>Like the qdiscs, a bpffs does not survive a reboot.</summary>
    public string Qdiscs { get; } = Path.Combine(root, "qdiscs");

    public string Map(string name) => Path.Combine(Maps, name);

    public string SocketLink(CgroupAttach hook) => Path.Combine(SocketLinks, hook.ToString().ToLowerInvariant());

    /// <exception cref="ArgumentException">The name cannot be pinned.</exception>
    public string PodLink(string pod, TcDirection direction)
    {
        if (string.IsNullOrEmpty(pod) || pod.AsSpan().IndexOfAny("./_") >= 0)
            throw new ArgumentException($"'{pod}' cannot be the name of a pin: it must be without '.', '/' and '_'", nameof(pod));
        return Path.Combine(PodLinks, pod + Suffix(direction));
    }

    /// <summary>By index: names of interfaces may have dots, and change.</summary>
    public string UplinkLink(int ifindex, TcDirection direction) =>
        Path.Combine(UplinkLinks, ifindex.ToString(CultureInfo.InvariantCulture) + Suffix(direction));

    public string OverlayLink(TcDirection direction) => Path.Combine(OverlayLinks, direction.ToString().ToLowerInvariant());

    /// <summary>Records that the clsact qdisc of an interface is the agent's: uninstalling deletes it, and leaves others' alone.</summary>
    public void RecordQdisc(int ifindex)
    {
        try
        {
            Directory.CreateDirectory(Qdisc(ifindex));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The programs are attached; without the record, uninstalling leaves an empty qdisc and says so.
        }
    }

    /// <summary>An agent made the clsact qdisc of this interface; false for those of agents that recorded none.</summary>
    public bool MadeQdisc(int ifindex) => Directory.Exists(Qdisc(ifindex));

    /// <summary>What is pinned below <see cref="UplinkLinks"/>, as far as it is ours.</summary>
    public IReadOnlyList<(string Path, int Ifindex, TcDirection Direction)> ListUplinkLinks()
    {
        var found = new List<(string, int, TcDirection)>();
        foreach (var path in Directory.GetFiles(UplinkLinks).Order(StringComparer.Ordinal))
            if (ParsePodLink(path) is var (name, direction)
                && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var ifindex))
                found.Add((path, ifindex, direction));
        return found;
    }

    /// <summary>The pod's name and the direction of a pin below <see cref="PodLinks"/>; null when it is none of ours.</summary>
    public static (string Pod, TcDirection Direction)? ParsePodLink(string path)
    {
        var file = Path.GetFileName(path);
        foreach (var direction in Enum.GetValues<TcDirection>())
            if (file.EndsWith(Suffix(direction), StringComparison.Ordinal) && file.Length > Suffix(direction).Length)
                return (file[..^Suffix(direction).Length], direction);
        return null;
    }

    public void Create()
    {
        Directory.CreateDirectory(Maps);
        Directory.CreateDirectory(SocketLinks);
        Directory.CreateDirectory(PodLinks);
        Directory.CreateDirectory(UplinkLinks);
        Directory.CreateDirectory(OverlayLinks);
    }

    private string Qdisc(int ifindex) => Path.Combine(Qdiscs, ifindex.ToString(CultureInfo.InvariantCulture));

    private static string Suffix(TcDirection direction) => direction == TcDirection.Ingress ? "_ingress" : "_egress";
}
