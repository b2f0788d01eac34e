using System.Text.Json;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>Every rendering is what helm calls clean, and holds no field that Kubernetes does not know.</summary>
public sealed class StrictTests
{
    public static TheoryData<string> Names() => Variants.Names();

    [Theory, MemberData(nameof(Names))]
    public async Task Helm_has_no_complaint(string variant)
    {
        var result = await Variants.LintAsync(variant);
        Assert.True(result.Succeeded, result.Output + result.Errors);
    }

    [Theory, MemberData(nameof(Names))]
    public async Task Every_field_is_one_of_Kubernetes(string variant)
    {
        var manifest = await Variants.RenderAsync(variant);
        Assert.NotEmpty(manifest.Objects);
        Assert.All(manifest.Objects, o => KubernetesTypes.Decode(o));
    }

    /// <summary>Misspelt, misplaced, of the wrong type, or a text that YAML takes for something else.</summary>
    [Theory]
    [InlineData("mountPropagation:", "mountPropagations:")]
    [InlineData("hostNetwork: true", "hostNetworks: true")]
    [InlineData("hostNetwork: true", "hostNetwork: \"true\"")]
    [InlineData("hostNetwork: true", "hostNetwork: 1")]
    [InlineData("allowPrivilegeEscalation: false", "allowPrivilegedEscalation: false")]
    [InlineData("path: /readyz", "path: on")]
    [InlineData("dnsPolicy: Default", "dnspolicy: Default")]
    [InlineData("roleRef:", "roleref:")]
    [InlineData("verbs: [create]", "verbs: create")]
    [InlineData("kind: ConfigMap", "kind: Configmap")]
    [InlineData("terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 5\n      tolerationz: []")]
    public async Task Control_what_is_none_is_found(string field, string wrong)
    {
        var text = (await Variants.RenderAsync(Variants.Full)).Text;
        Assert.Contains(field, text, StringComparison.Ordinal);
        var broken = new Manifest(text.Replace(field, wrong, StringComparison.Ordinal));
        Assert.Throws<JsonException>(() =>
        {
            foreach (var value in broken.Objects)
                KubernetesTypes.Decode(value);
        });
    }
}
