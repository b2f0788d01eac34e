using Ebpf.Cni.Chart.Tests.Rendering;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>The objects fit each other.</summary>
public sealed class ReferenceTests
{
    public static TheoryData<string> Names() => Variants.Names();

    [Theory, MemberData(nameof(Names))]
    public async Task Everything_named_is_there(string variant)
    {
        // an account that is made elsewhere is not in the rendering
        string[] expected = variant == "no account, no role" ? ["there is no ServiceAccount kube-system/other"] : [];
        Assert.Equal(expected, References.Broken(await Variants.RenderAsync(variant)));
    }

    [Theory]
    [InlineData("- name: sysctl\n              mountPath", "- name: sysctls\n              mountPath",
        "agent mounts sysctls, which is no volume")]
    [InlineData("configMap:\n            name: ebpf-cni", "configMap:\n            name: other", "there is no ConfigMap kube-system/other")]
    [InlineData("serviceAccountName: ebpf-cni", "serviceAccountName: other", "there is no ServiceAccount kube-system/other")]
    [InlineData("matchLabels:\n      app.kubernetes.io/name: ebpf-cni", "matchLabels:\n      app.kubernetes.io/name: other",
        "the selector's app.kubernetes.io/name=other")]
    [InlineData("kind: ClusterRole\n  name: ebpf-cni", "kind: ClusterRole\n  name: other", "there is no ClusterRole other")]
    [InlineData("mountPath: /run/netns", "mountPath: /opt/cni/bin", "agent mounts /opt/cni/bin twice")]
    public async Task Control_what_is_missing_is_found(string good, string wrong, string complaint)
    {
        var text = (await Variants.RenderAsync(Variants.Full)).Text;
        Assert.Contains(good, text, StringComparison.Ordinal);
        Assert.Contains(
            References.Broken(new Manifest(text.Replace(good, wrong, StringComparison.Ordinal))),
            b => b.StartsWith(complaint, StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Names))]
    public async Task Names_are_names_and_labels_are_labels(string variant)
    {
        var manifest = await Variants.RenderAsync(variant);
        foreach (var value in manifest.Objects)
        {
            Assert.Matches("^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$", (string?)value["metadata"]!["name"]);
            foreach (var (_, label) in value["metadata"]!["labels"]!.AsObject())
                Assert.Matches("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", (string?)label);
        }

        Assert.Equal(manifest.Objects.Count, manifest.Objects.Select(o => $"{o["kind"]} {o["metadata"]!["name"]}").Distinct().Count());
    }

    [Fact]
    public async Task What_is_added_is_where_it_belongs()
    {
        var manifest = await Variants.RenderAsync("labels and annotations");
        var set = manifest.DaemonSet;
        Assert.All(
            manifest.Objects.Where(o => (string?)o["kind"] != "Pod"),
            o => Assert.Equal(("net", "yes", "true"),
                ((string?)o["metadata"]!["labels"]!["team"], (string?)o["metadata"]!["labels"]!["on"],
                (string?)o["metadata"]!["annotations"]!["note"])));
        Assert.Equal(("1", "null"), (set.Spec.Template.Metadata.Labels["pod"], set.Spec.Template.Metadata.Annotations["why"]));
        Assert.Equal("12", manifest.Only<V1ServiceAccount>().Metadata.Annotations["role"]);
        // what is nearer wins
        Assert.Equal(("pod", "common", "account"),
            (set.Spec.Template.Metadata.Labels["both"], set.Metadata.Labels["both"],
            manifest.Only<V1ServiceAccount>().Metadata.Annotations["both"]));
        Assert.DoesNotContain("team", set.Spec.Selector.MatchLabels.Keys);
        Assert.Equal((await Variants.RenderAsync(Variants.Full)).DaemonSet.Spec.Selector.MatchLabels, set.Spec.Selector.MatchLabels);
    }
}
