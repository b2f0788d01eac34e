using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Agent.Cleanup;

/// <summary>What a clean-up did, for the log.</summary>
public sealed record CleanupReport(IReadOnlyList<string> Removed, IReadOnlyList<string> MissingPrograms, IReadOnlyList<string> Failures);

/// <summary>
/// Removes what kube-proxy has left behind: its nftables tables, its chains in iptables, of either kind and family, and the interface of
/// its IPVS mode. Touches nothing else, and is the only thing in the agent that writes to netfilter, on request.
/// </summary>
public static class KubeProxyCleanup
{
    private static readonly string[] NftTables = ["table ip kube-proxy", "table ip6 kube-proxy"];

    /// <summary>In the network namespace of the calling thread.</summary>
    /// <param name="find">Where a program is; null if it is not there.</param>
    public static CleanupReport Run(Func<string, string?>? find = null)
    {
        find ??= HostProgram.Find;
        var (removed, missing, failures) = (new List<string>(), new List<string>(), new List<string>());
        if (find("nft") is { } nft)
            Try(() => RemoveTables(nft, removed), failures);
        else
            missing.Add("nft");
        foreach (var family in new[] { "iptables", "ip6tables" })
        {
            // Both kinds may be in use on one machine; the plain name is one of them where they are distinguished.
            var kinds = new[] { $"{family}-nft", $"{family}-legacy" }.Where(IsThere).ToList();
            if (kinds.Count == 0 && IsThere(family))
                kinds.Add(family);
            if (kinds.Count == 0)
                missing.Add(family);
            foreach (var kind in kinds)
                Try(() => RemoveChains(find($"{kind}-save")!, find($"{kind}-restore")!, kind, removed), failures);
        }

        Try(() => RemoveDevice(removed), failures);
        return new CleanupReport(removed, missing, failures);

        bool IsThere(string kind) => find($"{kind}-save") is not null && find($"{kind}-restore") is not null;
    }

    private static void RemoveTables(string nft, List<string> removed)
    {
        var present = HostProgram.Run(nft, "", "list", "tables").Split('\n').Select(l => l.Trim()).ToHashSet();
        foreach (var table in NftTables.Where(present.Contains))
        {
            HostProgram.Run(nft, "", ["delete", .. table.Split(' ')]);
            removed.Add($"nftables: {table}");
        }
    }

    private static void RemoveChains(string save, string restore, string kind, List<string> removed)
    {
        var leftovers = IptablesLeftovers.In(HostProgram.Run(save, ""));
        if (leftovers.Restore.Length == 0)
            return;
        // One transaction a table; -w waits for others who write.
        HostProgram.Run(restore, leftovers.Restore, "--noflush", "-w", "10");
        removed.AddRange(leftovers.Removed.Select(r => $"{kind} {r}"));
    }

    /// <summary>
    /// Of the IPVS mode: the cluster IPs are addresses of this device, and with them the node itself would answer for services.
    /// </summary>
    private static void RemoveDevice(List<string> removed)
    {
        try
        {
            using var netlink = RouteNetlink.Open();
            if (netlink.FindLink(ProxyLeftover.KubeProxy) is not { } device)
                return;
            netlink.DeleteLink(device.Index);
            removed.Add($"interface {device.Name}");
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            throw new IOException($"{ProxyLeftover.KubeProxy} cannot be removed: {e.Message}", e);
        }
    }

    private static void Try(Action part, List<string> failures)
    {
        try
        {
            part();
        }
        catch (IOException e)
        {
            failures.Add(e.Message);
        }
    }
}
