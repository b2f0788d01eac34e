using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Agent.Uninstall;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Uninstall;

/// <summary>What the container runtime finds afterwards: other components' files, as they are, and none of the agent's.</summary>
public sealed class CniRemovalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public CniRemovalTests()
    {
        Directory.CreateDirectory(_directory["net.d"]);
        Directory.CreateDirectory(_directory["bin"]);
    }

    private string Plugin => Path.Combine(_directory["bin"], "ebpf-cni");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_configuration_that_stood_behind_the_agents_counts_again()
    {
        Write("05-ebpf-cni.conflist", "{}");
        Write(".tmp-05-ebpf-cni.conflist-1", "{");
        Write("10-other.conflist", """{"name":"other","plugins":[{"type":"bridge"}]}""");
        Write("20-more.conf", "no JSON");
        var report = Remove();
        Assert.Equal(["10-other.conflist", "20-more.conf"], Directory.GetFiles(_directory["net.d"]).Select(Path.GetFileName).Order());
        Assert.Equal(Path.Combine(_directory["net.d"], "05-ebpf-cni.conflist"), Assert.Single(report.Removed));
        Assert.StartsWith(Path.Combine(_directory["net.d"], "10-other.conflist"), Assert.Single(report.Restored), StringComparison.Ordinal);
        Assert.Empty(report.Left);
        Assert.Empty(report.Failures);
    }

    [Fact]
    public void A_node_without_another_configuration_is_told_of()
    {
        Write("05-ebpf-cni.conflist", "{}");
        Assert.Contains("not ready until another plugin", Assert.Single(Remove().Left), StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_that_names_the_plugin_is_left_and_named()
    {
        Write("10-other.conflist", """{"name":"other","plugins":[{"type":"bridge"},{"type":"ebpf-cni"}]}""");
        var report = Remove();
        Assert.Contains("10-other.conflist names the plugin ebpf-cni", Assert.Single(report.Left), StringComparison.Ordinal);
        Assert.Empty(report.Removed);
    }

    [Fact]
    public void The_plugin_goes_and_others_stay()
    {
        File.WriteAllText(Plugin, "binary");
        File.WriteAllText(Path.Combine(_directory["bin"], ".tmp-ebpf-cni-1"), "bin");
        File.WriteAllText(Path.Combine(_directory["bin"], "bridge"), "another's");
        Assert.Equal([Plugin], Remove().Removed);
        Assert.Equal(["bridge"], Directory.GetFiles(_directory["bin"]).Select(Path.GetFileName));
    }

    [Fact]
    public void Where_nothing_was_installed_nothing_is_said()
    {
        Directory.Delete(_directory["net.d"]);
        Directory.Delete(_directory["bin"]);
        var report = Remove();
        Assert.Empty(report.Removed.Concat(report.Restored).Concat(report.Left).Concat(report.Failures));
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_directory["net.d"], name), text);

    private RemovalReport Remove()
    {
        var report = new RemovalReport();
        var cni = new CniRemoval(new AgentOptions { CniConfDir = _directory["net.d"], CniBinDir = _directory["bin"] }, report);
        cni.RemoveConfiguration();
        cni.RemovePlugin();
        return report;
    }
}
