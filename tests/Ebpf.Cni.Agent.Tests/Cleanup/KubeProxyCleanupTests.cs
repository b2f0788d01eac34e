using Ebpf.Cni.Agent.Cleanup;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Cleanup;

/// <summary>The real programs in a namespace of their own: kube-proxy's goes, everything else stays as it was.</summary>
public sealed class KubeProxyCleanupTests : IDisposable
{
    private const string Proxys = """
        *nat
        :KUBE-SERVICES - [0:0]
        :KUBE-POSTROUTING - [0:0]
        :KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
        -A KUBE-SERVICES -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
        COMMIT
        *filter
        :KUBE-FORWARD - [0:0]
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        COMMIT

        """;

    private const string Others = """
        *nat
        :DOCKER - [0:0]
        -A PREROUTING -m comment --comment "not -j KUBE-SERVICES" -j DOCKER
        COMMIT
        *filter
        :KUBE-FIREWALL - [0:0]
        -A INPUT -j KUBE-FIREWALL
        -A FORWARD -p tcp -m tcp --dport 8080 -j ACCEPT
        COMMIT

        """;

    private readonly NetworkNamespace? _node = Environment.IsPrivilegedProcess ? NetworkNamespace.CreateAnonymous() : null;

    public void Dispose() => _node?.Dispose();

    [Fact]
    public void The_interface_of_the_IPVS_mode_goes_and_others_stay()
    {
        Requires.Root();
        _node!.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddBridge("kube-ipvs0"); // whatever its kind
            netlink.AddBridge("kube-ipvs1");
        });
        Assert.Equal(["interface kube-ipvs0"], Clean("nothing").Removed);
        using var after = RouteNetlink.Open(_node);
        Assert.Null(after.FindLink("kube-ipvs0"));
        Assert.NotNull(after.FindLink("kube-ipvs1"));
        Assert.Empty(Clean("nothing").Removed);
    }

    [Fact]
    public void Tables_of_nftables_go_and_others_stay()
    {
        Requires.Root();
        Requires.Tool("nft");
        const string foreign = "table ip mine {\n\tchain c {\n\t\tip daddr 10.0.0.1 accept\n\t}\n}\ntable inet kube-proxy {\n}\n";
        Run("nft", foreign + "table ip kube-proxy {\n\tchain services {\n\t}\n}\ntable ip6 kube-proxy {\n}\n", "-f", "-");
        var report = Clean("nft");
        Assert.Equal(["nftables: table ip kube-proxy", "nftables: table ip6 kube-proxy"], report.Removed);
        Assert.Equal(["iptables", "ip6tables"], report.MissingPrograms);
        Assert.Empty(report.Failures);
        Assert.Equal("table ip mine\ntable inet kube-proxy\n", Run("nft", "", "list", "tables"));
        Assert.Contains("ip daddr 10.0.0.1 accept", Run("nft", "", "list", "table", "ip", "mine"), StringComparison.Ordinal);
        Assert.Empty(Clean("nft").Removed);
    }

    [Theory]
    [InlineData("iptables-nft")]
    [InlineData("ip6tables-nft")]
    [InlineData("iptables-legacy")]
    [InlineData("ip6tables-legacy")]
    public void Chains_of_iptables_go_and_others_stay(string kind)
    {
        Requires.Root();
        Requires.Tool($"{kind}-save");
        RequiresTables(kind);
        Run($"{kind}-restore", Others, "--noflush");
        var before = Rules(kind);
        Run($"{kind}-restore", Proxys, "--noflush");
        Assert.NotEqual(before, Rules(kind));

        var report = Clean($"{kind}-save", $"{kind}-restore");
        Assert.Empty(report.Failures);
        Assert.Contains("nft", report.MissingPrograms);
        Assert.Contains($"{kind} nat/KUBE-SVC-TCOU7JCQXEZGVUNU", report.Removed);
        Assert.Equal(before, Rules(kind));
        Assert.Empty(Clean($"{kind}-save", $"{kind}-restore").Removed);
    }

    [Fact]
    public void A_program_that_fails_is_told_and_the_others_are_used()
    {
        Requires.Root();
        var report = KubeProxyCleanup.Run(name => name is "nft" ? "/bin/false" : null);
        Assert.Contains("/bin/false", Assert.Single(report.Failures), StringComparison.Ordinal);
        Assert.Equal(["iptables", "ip6tables"], report.MissingPrograms);
    }

    /// <summary>The legacy kind needs modules that not every kernel has.</summary>
    private void RequiresTables(string kind)
    {
        var works = _node!.Run(() =>
        {
            try
            {
                return HostProgram.Run(HostProgram.Find($"{kind}-restore")!, "*nat\nCOMMIT\n*filter\nCOMMIT\n", "--noflush").Length >= 0;
            }
            catch (IOException)
            {
                return false;
            }
        });
        Assert.SkipUnless(works, $"this kernel has no tables for {kind}");
    }

    private CleanupReport Clean(params string[] programs) =>
        _node!.Run(() => KubeProxyCleanup.Run(name => programs.Contains(name) ? HostProgram.Find(name) : null));

    private string Run(string program, string input, params string[] arguments) =>
        _node!.Run(() => HostProgram.Run(HostProgram.Find(program)!, input.ReplaceLineEndings("\n"), arguments));

    /// <summary>Without the comments, which carry the time.</summary>
    private string[] Rules(string kind) =>
        [.. Run($"{kind}-save", "").Split('\n').Where(l => l.Length > 0 && !l.StartsWith('#'))
            .Select(l => l.StartsWith(':') ? l.Split(" [")[0] : l)];
}
