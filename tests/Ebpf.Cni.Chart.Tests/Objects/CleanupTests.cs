using System.Text.Json.Nodes;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>
/// cleanup.enabled: the same DaemonSet, so that the agent of a node is gone before the pod that cleans the node up starts.
/// </summary>
public sealed class CleanupTests
{
    [Fact]
    public async Task Pods_that_clean_up_take_the_agents_place()
    {
        var (agents, cleanup) = (await Variants.RenderAsync(Variants.Full), await Variants.RenderAsync(Variants.Cleanup));
        Assert.Equal(agents.DaemonSet.Metadata.Name, cleanup.DaemonSet.Metadata.Name);
        Assert.Equal(agents.DaemonSet.Spec.Selector.MatchLabels, cleanup.DaemonSet.Spec.Selector.MatchLabels);
        Assert.Equal((agents.Pod.HostNetwork, agents.Pod.PriorityClassName), (cleanup.Pod.HostNetwork, cleanup.Pod.PriorityClassName));
        Assert.Equal(["cleanup"], cleanup.Pod.InitContainers.Select(c => c.Name));
        Assert.Equal(["stay"], cleanup.Pod.Containers.Select(c => c.Name));
        Assert.DoesNotContain(
            cleanup.DaemonSet.Spec.Template.Metadata.Annotations, a => a.Key.StartsWith("prometheus.io", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Variants.Cleanup, "", "")]
    [InlineData(Variants.ForcedCleanup, "--force ", "DAC_OVERRIDE")]
    public async Task Each_container_works_on_the_node_and_needs_nothing_else_of_it(string variant, string force, string more)
    {
        var manifest = await Variants.RenderAsync(variant);
        foreach (var (container, stay) in new[] { (manifest.Pod.InitContainers[0], ""), (manifest.Pod.Containers[0], "--stay ") })
        {
            Assert.Equal(
                $"/opt/ebpf-cni/ebpf-cni-agent cleanup {force}{stay}--host-proc /host/proc --config /etc/ebpf-cni/agent.json",
                string.Join(' ', container.Command));
            Assert.Equal(
                [("config", "/etc/ebpf-cni"), ("host-proc", "/host/proc")], container.VolumeMounts.Select(m => (m.Name, m.MountPath)));
            Assert.All(container.VolumeMounts, m => Assert.True(m.ReadOnlyProperty));
            Assert.Equal(more.Length > 0, container.SecurityContext.Capabilities.Add.Contains("DAC_OVERRIDE"));
        }

        Assert.False(manifest.Pod.AutomountServiceAccountToken);
        Assert.Equal("/proc", manifest.Pod.Volumes.Single(v => v.Name == "host-proc").HostPath.Path);
        // the node's own directories are those that the agents were told of
        Assert.Empty(OptionsReader.Read(["--config", "agent.json"], _ => null, _ => manifest.AgentJson).Errors);
        Assert.Equal("/var/lib/ebpf-cni", (string?)JsonNode.Parse(manifest.AgentJson)!["stateDir"]);
    }

    [Fact]
    public async Task Old_clusters_are_told_of_AppArmor_by_the_names_of_these_containers() => Assert.Equal(
        ["container.apparmor.security.beta.kubernetes.io/cleanup", "container.apparmor.security.beta.kubernetes.io/stay"],
        (await Variants.RenderAsync(Variants.ForcedCleanup)).DaemonSet.Spec.Template.Metadata.Annotations.Keys
            .Where(k => k.StartsWith("container.apparmor", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [Fact]
    public async Task Without_being_asked_for_nothing_cleans_up()
    {
        var text = (await Variants.RenderAsync(Variants.Full)).Text;
        Assert.DoesNotContain("cleanup", text, StringComparison.Ordinal);
        Assert.DoesNotContain("--force", text, StringComparison.Ordinal);
    }
}
