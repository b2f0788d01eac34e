using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>What an agent changes of the node's settings can be restored exactly, and others' changes are not undone.</summary>
public sealed class FormerSettingsTests : IDisposable
{
    private const string Root = "/proc/sys/net/";
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void All_settings_of_a_node_are_as_they_were_with_those_that_the_kernel_changes_along() => OnNode(former =>
    {
        // One device forwards although the node does not; redirects are refused by an administrator; up0 lives by router advertisements.
        File.WriteAllText(Root + "ipv4/conf/all/accept_redirects", "0");
        File.WriteAllText(Root + "ipv4/conf/up1/forwarding", "1");
        File.WriteAllText(Root + "ipv6/conf/up1/forwarding", "1");
        File.WriteAllText(Root + "ipv6/conf/up0/accept_ra", "1");
        File.WriteAllText(Root + "ipv6/conf/up1/accept_ra", "0");
        var before = All();
        var setup = Setup(former);
        setup.Run([AddressFamily.InterNetwork, AddressFamily.InterNetworkV6]);
        setup.TranslateOwnPackets();
        Assert.NotEqual(before, All()); // the control
        var (restored, left) = New().Restore(); // by another process
        Assert.Equal(
            [
                "ipv4/conf/lo/rp_filter", "ipv4/conf/lo/route_localnet", "ipv4/conf/lo/accept_local",
                "ipv6/conf/all/forwarding", "ipv6/conf/up0/accept_ra", "ipv4/ip_forward",
            ],
            restored.Select(r => r.Name));
        Assert.Empty(left);
        Assert.Equal(before, All());
        Assert.Equal((0, 0), (New().Restore().Restored.Count, New().Restore().Left.Count)); // nothing is left to do
    });

    [Fact]
    public void What_was_right_before_the_agent_is_not_touched() => OnNode(former =>
    {
        File.WriteAllText(Root + "ipv4/ip_forward", "1");
        Setup(former).Run([AddressFamily.InterNetwork]);
        Assert.False(former.Known);
        Assert.Empty(former.Restore().Restored);
        Assert.Equal("1", File.ReadAllText(Root + "ipv4/ip_forward").Trim());
    });

    /// <summary>Forwarding that was switched off is set again: what it was first counts, not what it was last.</summary>
    [Fact]
    public void The_first_value_counts() => OnNode(former =>
    {
        File.WriteAllText(Root + "ipv4/conf/lo/rp_filter", "1");
        Setup(former).TranslateOwnPackets();
        File.WriteAllText(Root + "ipv4/conf/lo/rp_filter", "0");
        Setup(former).TranslateOwnPackets();
        former.Restore();
        Assert.Equal("1", File.ReadAllText(Root + "ipv4/conf/lo/rp_filter").Trim());
    });

    [Fact]
    public void A_value_that_another_has_set_since_stays() => OnNode(former =>
    {
        Setup(former).TranslateOwnPackets();
        File.WriteAllText(Root + "ipv4/conf/lo/rp_filter", "1");
        var (restored, left) = former.Restore();
        Assert.Equal("ipv4/conf/lo/rp_filter", Assert.Single(left).Name);
        Assert.Equal(2, restored.Count);
        Assert.Equal("1", File.ReadAllText(Root + "ipv4/conf/lo/rp_filter").Trim());
    });

    [Fact]
    public void Values_of_another_boot_do_not_count() => OnNode(former =>
    {
        Setup(former).TranslateOwnPackets();
        Assert.True(former.Known);
        var later = new FormerSettings(new SysctlTree(SysctlTree.Usual), Kept, "another boot");
        Assert.False(later.Known);
        Assert.Empty(later.Restore().Restored);
        Assert.Equal("2", File.ReadAllText(Root + "ipv4/conf/lo/rp_filter").Trim());
    });

    [Fact]
    public void Values_that_cannot_be_kept_are_changed_all_the_same() => OnNode(_ =>
    {
        Setup(new FormerSettings(new SysctlTree(SysctlTree.Usual), _directory["missing/file"], "b")).Run([AddressFamily.InterNetwork]);
        Assert.Equal("1", File.ReadAllText(Root + "ipv4/ip_forward").Trim());
    });

    [Fact]
    public void Excepted_settings_stay_and_are_named() => OnNode(former =>
    {
        Setup(former).Run([AddressFamily.InterNetwork, AddressFamily.InterNetworkV6]);
        var (restored, left) = former.Restore(NodeSetup.IsForwarding);
        Assert.Empty(restored);
        Assert.Equal(
            ["ipv4/ip_forward", "ipv6/conf/all/forwarding"],
            left.Select(s => s.Name).Where(n => !n.EndsWith("/accept_ra", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(("1", "1"), (Text("ipv4/ip_forward"), Text("ipv6/conf/all/forwarding")));
    });

    /// <summary>What was recorded before is worth more than the value at hand.</summary>
    [Fact]
    public void A_record_that_cannot_be_read_is_not_overwritten() => OnNode(former =>
    {
        File.WriteAllText(Kept, "{ damaged");
        Assert.Throws<IOException>(() => former.Record(new FormerSetting("ipv4/ip_forward", "0", "1"), []));
        Assert.Equal("{ damaged", File.ReadAllText(Kept));
        Setup(former).Run([AddressFamily.InterNetwork]);
        Assert.Equal("1", Text("ipv4/ip_forward"));
    });

    private static string Text(string setting) => File.ReadAllText(Root + setting).Trim();

    private string Kept => _directory[FormerSettings.FileName];

    private FormerSettings New() => new(new SysctlTree(SysctlTree.Usual), Kept, FormerSettings.CurrentBoot());

    private static NodeSetup Setup(FormerSettings former) => new(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance, former);

    private static List<string> All() =>
    [
        .. new[] { "ipv4", "ipv6" }.SelectMany(f => Directory.EnumerateFiles(Root + f, "*", SearchOption.AllDirectories))
            .Where(f => File.GetUnixFileMode(f).HasFlag(UnixFileMode.UserRead) && !f.EndsWith("stable_secret", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).Select(f => $"{f} {File.ReadAllText(f).Trim()}"),
    ];

    private void OnNode(Action<FormerSettings> test)
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddVeth("up0", "up1");
            // Whatever this machine's namespaces are born with.
            File.WriteAllText(Root + "ipv4/ip_forward", "0");
            File.WriteAllText(Root + "ipv6/conf/all/forwarding", "0");
            test(New());
        });
    }
}
