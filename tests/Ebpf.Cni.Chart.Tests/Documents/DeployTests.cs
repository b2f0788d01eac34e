using Ebpf.Cni.Chart.Tests.Objects;
using Ebpf.Cni.Chart.Tests.Rendering;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Chart.Tests.Documents;

/// <summary>deploy/*.yaml is the chart, for those without helm. `make chart` writes it.</summary>
public sealed class DeployTests
{
    /// <summary>The oldest release for which there are fields alone, as scripts/chart.sh has it.</summary>
    private const string KubeVersion = "1.30.0";

    [Theory]
    [InlineData("ebpf-cni.yaml", "profile=full")]
    [InlineData("ebpf-cni-chained.yaml", "profile=chained")]
    [InlineData("ebpf-cni-cleanup.yaml", "cleanup.enabled=true")]
    public async Task The_plain_manifest_is_current(string file, string value)
    {
        var rendered = await Helm.TemplateAsync(KubeVersion, "--no-hooks", "--set", value);
        var lines = (await File.ReadAllTextAsync(Path.Combine(Repository.Root, "deploy", file))).Split('\n');
        Assert.Equal(2, lines.TakeWhile(l => l.StartsWith("# ", StringComparison.Ordinal)).Count());
        Assert.True(rendered.Output == string.Join('\n', lines[2..]), $"deploy/{file} is not what the chart renders: run `make chart`");
    }

    [Theory]
    [InlineData("ebpf-cni.yaml")]
    [InlineData("ebpf-cni-chained.yaml")]
    [InlineData("ebpf-cni-cleanup.yaml")]
    public async Task It_holds_all_that_is_needed_and_nothing_of_helms(string file)
    {
        var manifest = new Manifest(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "deploy", file)));
        Assert.Equal(
            ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "ServiceAccount"],
            manifest.Objects.Select(o => (string)o["kind"]!).Order(StringComparer.Ordinal));
        Assert.All(manifest.Objects, o => KubernetesTypes.Decode(o));
        Assert.Empty(References.Broken(manifest));
        Assert.DoesNotContain("helm.sh/hook", manifest.Text, StringComparison.Ordinal);
    }
}
