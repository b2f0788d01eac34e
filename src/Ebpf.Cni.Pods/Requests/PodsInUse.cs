using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// Pods that lose something when the network goes. A pod lives if its interface or its namespace is there, as a starting agent judges it
/// (<see cref="EndpointAdoption"/>); pods whose DEL is queued, and ADDs that were interrupted, do not count.
/// </summary>
public static class PodsInUse
{
    /// <summary>The kernel tears a namespace down, and its interfaces with it, in a worker of its own.</summary>
    private static readonly TimeSpan TearDown = TimeSpan.FromMilliseconds(500);

    /// <param name="records">Of the state directory.</param>
    /// <param name="deleted">The runtime has deleted this attachment; no agent was there to do it.</param>
    /// <param name="network">Looks at the node.</param>
    /// <param name="links">The node's interfaces.</param>
    /// <returns>A noun phrase for each pod.</returns>
    public static IReadOnlyList<string> Find(
        IReadOnlyList<EndpointRecord> records, Func<EndpointKey, bool> deleted, IPodNetwork network, Func<IReadOnlyList<LinkInfo>> links)
    {
        var counting = records.Where(r => r.Ready && !deleted(r.Key)).ToList();
        SpinWait.SpinUntil(() => !counting.Exists(r => IsGoing(r, network)), TearDown);
        var known = records.Select(r => r.Key.HostInterface).ToHashSet();
        return
        [
            .. counting.Where(r => Lives(r, network)).Select(Text),
            // Of pods whose records were lost: a veth proves both of its ends.
            .. links().Where(l => !known.Contains(l.Name) && EndpointKey.IsOurs(l.Name, l.Alias))
                .Select(l => $"the pod of interface {l.Name} ({l.Alias})"),
        ];
    }

    /// <summary>What has no interface of its own on the node lives as long as its namespace does.</summary>
    private static bool Lives(EndpointRecord record, IPodNetwork network) =>
        network.FindHostLink(record) is { Ifindex: > 0 } || network.NamespaceExists(record.Netns);

    private static bool IsGoing(EndpointRecord record, IPodNetwork network) =>
        network.NamespaceIsGone(record.Netns) && network.FindHostLink(record) is { Ifindex: > 0 };

    private static string Text(EndpointRecord record) => record.Pod.Length > 0
        ? $"the pod {record.Pod} ({record.Key})"
        : $"the pod of {record.Key}";
}
