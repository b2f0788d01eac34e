using System.Text.RegularExpressions;
using System.Xml.Linq;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Rendering;
using Ebpf.Cni.Chart.Tests.Values;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Chart.Tests.Documents;

/// <summary>What is written about the chart and the options is true.</summary>
public sealed partial class PageTests
{
    /// <summary>kubeadm's and helm's, where they are named by themselves, and switches of the agent that are no options.</summary>
    private static readonly string[] OthersOptions =
    [
        "--config", "--force", "--help", "--host-proc", "--kube-version", "--pod-network-cidr", "--reuse-values", "--set", "--set-string",
            "--stay",
    ];

    public static TheoryData<string> Pages() =>
    [
        "README.md", "CONTRIBUTING.md", "docs/concepts.md", "docs/install.md", "docs/migrate-from-kube-proxy.md", "docs/upgrade.md",
        "charts/ebpf-cni/templates/NOTES.txt",
    ];

    [Fact]
    public void The_page_of_options_is_current()
    {
        var path = Path.Combine(Repository.Root, "docs", "configuration.md");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            File.WriteAllText(path, ConfigurationPage.Text);
        Assert.Equal(File.ReadAllText(path), ConfigurationPage.Text);
        Assert.All(OptionTable.All, o => Assert.Contains($"\n| `{o.Switch}` ", ConfigurationPage.Text, StringComparison.Ordinal));
    }

    /// <summary>agent.mtu, --set image.tag=...: whatever looks like a value is one.</summary>
    [Theory, MemberData(nameof(Pages))]
    public void Values_that_are_named_exist(string page)
    {
        var known = Schema.Places.Select(p => p.Path).ToHashSet();
        var named = ValuePattern().Matches(Read(page)).Select(m => m.Value.TrimEnd('.')).Where(n => !IsFile(n)).ToList();
        Assert.Equal([], named.Where(n => !known.Contains(n)));
        Assert.Matches(ValuePattern(), "--set agent.mtv=1");
        Assert.DoesNotContain("agent.mtv", known);
    }

    [Theory, MemberData(nameof(Pages))]
    public void Options_that_are_named_exist(string page)
    {
        HashSet<string> known = [.. OptionTable.All.Select(o => o.Switch), .. OthersOptions];
        var others = OtherPattern().Replace(Read(page), "");
        Assert.Equal([], AgentSwitchPattern().Matches(others).Select(m => m.Groups[1].Value).Where(s => !known.Contains(s)));
    }

    [Theory, MemberData(nameof(Pages))]
    public void Targets_of_make_that_are_named_exist(string page)
    {
        var known = TargetPattern().Matches(Read("Makefile")).Select(m => m.Groups[1].Value).ToHashSet();
        Assert.Equal([], MakePattern().Matches(Read(page)).Select(m => m.Groups[1].Value).Where(t => !known.Contains(t)));
        Assert.Contains("chart", known);
    }

    [Fact]
    public async Task The_notes_say_what_matters_for_each_way_to_install()
    {
        // helm template leaves the notes out; a dry run asks a cluster. They are rendered as any other template, beside the chart.
        using var chart = new NotesChart();
        var plain = await chart.RenderAsync("{}");
        Assert.Contains("apiServer.host is not set", plain, StringComparison.Ordinal);
        Assert.Contains("kubectl -n kube-system exec ds/ebpf-cni -c agent -- ecni status", plain, StringComparison.Ordinal);
        Assert.Contains("kube-proxy must not run beside it", plain, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "kube-proxy must not", await chart.RenderAsync("agent: {metricsAddress: '127.0.0.1:1', healthzAddress: '127.0.0.1:2'}"),
            StringComparison.Ordinal);
        Assert.Contains("helm uninstall ebpf-cni", await chart.RenderAsync("cleanup: {enabled: true}"), StringComparison.Ordinal);
        Assert.DoesNotContain("helm uninstall", plain, StringComparison.Ordinal);
        Assert.DoesNotContain("apiServer.host is not set", await chart.RenderAsync("apiServer: {host: api}"), StringComparison.Ordinal);
        Assert.Contains("behind the other plugin's configuration in /etc/other",
            await chart.RenderAsync("profile: chained\nhostPaths: {cniConf: /etc/other}"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_chart_has_the_products_version()
    {
        var product = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("VersionPrefix").Single().Value;
        var chart = YamlText.Documents(File.ReadAllText(Path.Combine(Helm.Chart, "Chart.yaml"))).Single();
        Assert.Equal((product, product), ((string?)chart["version"], (string?)chart["appVersion"]));
    }

    private static string Read(string page) => File.ReadAllText(Path.Combine(Repository.Root, page));

    private static bool IsFile(string name) =>
        name.EndsWith(".json", StringComparison.Ordinal) || name.EndsWith(".md", StringComparison.Ordinal);

    [GeneratedRegex(
        @"(?<![\w./-])(agent|apiServer|image|metrics|hostPaths|updateStrategy|cleanup|probes|serviceAccount|rbac|capabilities)"
        + @"(\.[a-zA-Z]+)+")]
    private static partial Regex ValuePattern();

    /// <summary>Lines of other programs' command lines, and what follows them.</summary>
    [GeneratedRegex(@"(helm|kubeadm|kubectl|dotnet|curl|ctr|iptables|git|kube-proxy) [^`\n\\]*(\\\n[^\n]*)*")]
    private static partial Regex OtherPattern();

    [GeneratedRegex(@"(?<=[\s`(])(--[a-z][a-z-]+)")]
    private static partial Regex AgentSwitchPattern();

    [GeneratedRegex(@"(?m)^([a-z-]+):.*##")]
    private static partial Regex TargetPattern();

    [GeneratedRegex(@"`make ([a-z-]+)")]
    private static partial Regex MakePattern();
}
