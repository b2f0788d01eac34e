using Ebpf.Cni.Chart.Tests.Rendering;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>What the pods may, and may not.</summary>
public sealed class SecurityTests
{
    /// <summary>
    /// prepare enters the node's mount namespace by /proc/1; the agent makes devices, loads programs and enters pods' namespaces; what
    /// cleans up does both.
    /// </summary>
    private static readonly Dictionary<string, string[]> Capabilities = new()
    {
        ["prepare"] = ["SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"],
        ["agent"] = ["NET_ADMIN", "SYS_ADMIN"],
        ["cleanup"] = ["NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"],
        ["stay"] = ["NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"],
    };

    public static TheoryData<string> Names() => Variants.Names();

    [Theory, MemberData(nameof(Names))]
    public async Task Nothing_is_privileged(string variant)
    {
        string[] expected = variant switch
        {
            "an old kernel" => ["ebpf-cni: agent has other capabilities"],
            Variants.ForcedCleanup => ["ebpf-cni: stay has other capabilities", "ebpf-cni: cleanup has other capabilities"],
            "directories of others" => ["ebpf-cni: agent has other capabilities", "ebpf-cni: prepare has other capabilities"],
            _ => [],
        };
        Assert.Equal(expected, Excess(await Variants.RenderAsync(variant)));
    }

    [Fact]
    public async Task What_old_kernels_ask_for_is_there_when_it_is_asked_for() =>
        Assert.Equal(["NET_ADMIN", "SYS_ADMIN", "SYS_RESOURCE"],
            (await Variants.RenderAsync("an old kernel")).Agent.SecurityContext.Capabilities.Add);

    [Fact]
    public async Task What_directories_of_others_ask_for_is_there_when_it_is_asked_for()
    {
        var set = await Variants.RenderAsync("directories of others");
        Assert.Equal(["NET_ADMIN", "SYS_ADMIN", "DAC_OVERRIDE"], set.Agent.SecurityContext.Capabilities.Add);
        Assert.Equal(["SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "DAC_OVERRIDE"], set.Prepare.SecurityContext.Capabilities.Add);
    }

    [Theory]
    [InlineData("runAsUser: 0", "privileged: true", "is privileged")]
    [InlineData("hostNetwork: true", "hostNetwork: true\n      hostPID: true", "sees the node's processes")]
    [InlineData("hostNetwork: true", "hostNetwork: true\n      hostIPC: true", "shares the node's IPC")]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can write its image")]
    [InlineData("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "can get more rights")]
    [InlineData("drop: [ALL]", "drop: []", "keeps capabilities")]
    [InlineData("\"SYS_PTRACE\"", "\"SYS_MODULE\"", "has other capabilities")]
    [InlineData("type: RuntimeDefault", "type: Unconfined", "has no seccomp profile")]
    [InlineData("verbs: [create]", "verbs: ['*']", "a rule has a wildcard")]
    [InlineData("resources: [events]", "resources: ['*']", "a rule has a wildcard")]
    public async Task Control_what_is_too_much_is_found(string good, string wrong, string complaint)
    {
        var text = (await Variants.RenderAsync(Variants.Full)).Text;
        Assert.Contains(good, text, StringComparison.Ordinal);
        Assert.Contains(Excess(new Manifest(text.Replace(good, wrong, StringComparison.Ordinal))),
            e => e.EndsWith(complaint, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Variants.Full, true)]
    [InlineData("kubernetes 1.30", true)]
    [InlineData(Variants.Oldest, false)]
    [InlineData("kubernetes 1.29 as a provider calls it, chained", false)]
    public async Task AppArmor_is_told_in_the_way_that_the_cluster_knows(string variant, bool byField)
    {
        var manifest = await Variants.RenderAsync(variant);
        foreach (var container in new[] { manifest.Agent, manifest.Prepare })
        {
            Assert.Equal(byField ? "Unconfined" : null, container.SecurityContext.AppArmorProfile?.Type);
            Assert.Equal(
                byField ? null : "unconfined",
                manifest.DaemonSet.Spec.Template.Metadata.Annotations.FirstOrDefault(
                    a => a.Key == "container.apparmor.security.beta.kubernetes.io/" + container.Name).Value);
        }
    }

    [Fact]
    public async Task The_test_pod_is_one_that_any_namespace_admits()
    {
        var pod = (await Variants.RenderAsync(Variants.Full)).Only<V1Pod>();
        Assert.True(pod.Spec.SecurityContext.RunAsNonRoot);
        Assert.NotEqual(true, pod.Spec.HostNetwork);
        Assert.Null(pod.Spec.Volumes);
        Assert.False(pod.Spec.AutomountServiceAccountToken);
    }

    private static IEnumerable<string> Excess(Manifest manifest)
    {
        var pods = manifest.All<V1DaemonSet>().Select(s => (s.Metadata.Name, s.Spec.Template.Spec))
            .Concat(manifest.All<V1Pod>().Select(p => (p.Metadata.Name, p.Spec)));
        foreach (var (name, pod) in pods)
        {
            if (pod.HostPID == true)
                yield return $"{name} sees the node's processes";
            if (pod.HostIPC == true)
                yield return $"{name} shares the node's IPC";
            foreach (var container in pod.Containers.Concat(pod.InitContainers ?? []))
                foreach (var found in Excess(container, pod.SecurityContext))
                    yield return $"{name}: {container.Name} {found}";
        }

        foreach (var rule in manifest.All<V1ClusterRole>().SelectMany(r => r.Rules))
            if (rule.Verbs.Concat(rule.Resources).Concat(rule.ApiGroups).Any(t => t.Contains('*', StringComparison.Ordinal)))
                yield return "a rule has a wildcard";
    }

    private static IEnumerable<string> Excess(V1Container container, V1PodSecurityContext? pod)
    {
        var context = container.SecurityContext;
        if (context.Privileged == true)
            yield return "is privileged";
        if (context.ReadOnlyRootFilesystem != true)
            yield return "can write its image";
        if (context.AllowPrivilegeEscalation != false)
            yield return "can get more rights";
        if (context.Capabilities.Drop is not ["ALL"])
            yield return "keeps capabilities";
        if (!(context.Capabilities.Add ?? []).SequenceEqual(Capabilities.GetValueOrDefault(container.Name) ?? []))
            yield return "has other capabilities";
        if ((context.SeccompProfile ?? pod?.SeccompProfile)?.Type != "RuntimeDefault")
            yield return "has no seccomp profile";
    }
}
