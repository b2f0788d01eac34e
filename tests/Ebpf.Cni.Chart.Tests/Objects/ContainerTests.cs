using System.Text.Json.Nodes;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Rendering;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>The containers find what they are told of, and the kubelet finds them.</summary>
public sealed class ContainerTests
{
    /// <summary>
    /// Directories of the agent that are the node's: the same one, by the same path. The sysctls' is not, because /proc/sys is read-only
    /// there.
    /// </summary>
    private static readonly string[] SamePath = ["bpffsRoot", "stateDir", "runDir", "cniConfDir", "cniBinDir"];

    public static TheoryData<string> Names() => Variants.NamesWithAgents();

    [Theory, MemberData(nameof(Names))]
    public async Task Directories_of_the_agent_are_those_of_the_node(string variant)
    {
        var manifest = await Variants.RenderAsync(variant);
        var told = JsonNode.Parse(manifest.AgentJson)!;
        Assert.All(SamePath, name => Assert.Equal((string?)told[name], OnNode(manifest, manifest.Agent, (string)told[name]!)));
        Assert.Equal("/proc/sys/net", OnNode(manifest, manifest.Agent, (string)told["sysctlRoot"]!));
        Assert.Equal("/sys/fs/cgroup", OnNode(manifest, manifest.Agent, "/host/sys/fs/cgroup"));
        Assert.Equal((string?)told["cniBinDir"], OnNode(manifest, manifest.Prepare, (string)told["cniBinDir"]!));
        Assert.Equal("/proc",
            OnNode(manifest, manifest.Prepare, manifest.Prepare.Command[manifest.Prepare.Command.IndexOf("--host-proc") + 1]));
        Assert.Null(OnNode(manifest, manifest.Agent, "/var/elsewhere"));
        Assert.All(
            new[] { manifest.Agent, manifest.Prepare },
            c => Assert.Contains(c.VolumeMounts, m => m is { Name: "config", MountPath: "/etc/ebpf-cni", ReadOnlyProperty: true }));
    }

    /// <summary>Mounts that come while the agent runs have to reach it; none of its own may reach the node.</summary>
    [Fact]
    public async Task Mounts_go_one_way()
    {
        var manifest = await Variants.RenderAsync(Variants.Full);
        Assert.All(manifest.Agent.VolumeMounts.Concat(manifest.Prepare.VolumeMounts),
            m => Assert.True(m.MountPropagation is null or "HostToContainer", m.Name));
        Assert.Equal(
            ["bpffs", "cgroup", "netns", "run"],
            manifest.Agent.VolumeMounts.Where(m => m.MountPropagation == "HostToContainer").Select(m => m.Name)
                .Order(StringComparer.Ordinal));
        Assert.Equal(["cgroup", "config"], manifest.Agent.VolumeMounts.Where(m => m.ReadOnlyProperty == true).Select(m => m.Name)
            .Order(StringComparer.Ordinal));
        Assert.Equal(["config", "host-proc"], manifest.Prepare.VolumeMounts.Where(m => m.ReadOnlyProperty == true).Select(m => m.Name)
            .Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(Variants.Full, "127.0.0.1", 10256, 10249)]
    [InlineData("other addresses", "fd00::5", 9998, 9999)]
    [InlineData("health on all of IPv6", "127.0.0.1", 10256, 10249)]
    public async Task Probes_ask_where_the_agent_answers(string variant, string host, int port, int metrics)
    {
        var agent = (await Variants.RenderAsync(variant)).Agent;
        Assert.All(
            new[] { agent.StartupProbe, agent.ReadinessProbe, agent.LivenessProbe },
            p => Assert.Equal((host, $"{port}"), (p.HttpGet.Host, p.HttpGet.Port.ToString())));
        Assert.Equal(("/readyz", "/readyz", "/livez"),
            (agent.StartupProbe.HttpGet.Path, agent.ReadinessProbe.HttpGet.Path, agent.LivenessProbe.HttpGet.Path));
        Assert.Equal([("health", port), ("metrics", metrics)], agent.Ports.Select(p => (p.Name, p.ContainerPort)));
    }

    [Theory]
    [InlineData(Variants.Full, null, null)]
    [InlineData("API server's name", "api.example.org", "6443")]
    [InlineData("API server's IPv6 address", "fd00::1", "8443")]
    public async Task The_API_server_is_where_it_is_said_to_be(string variant, string? host, string? port)
    {
        var manifest = await Variants.RenderAsync(variant);
        foreach (var container in new[] { manifest.Agent, manifest.Prepare })
            Assert.Equal((host, port), (Value(container, "KUBERNETES_SERVICE_HOST"), Value(container, "KUBERNETES_SERVICE_PORT")));
    }

    [Fact]
    public async Task Nodes_that_are_not_ready_have_an_agent_and_updates_go_on()
    {
        var manifest = await Variants.RenderAsync(Variants.Full);
        Assert.Equal(("Exists", null, null), (Assert.Single(manifest.Pod.Tolerations).OperatorProperty, manifest.Pod.Tolerations[0].Key,
            manifest.Pod.Tolerations[0].Effect));
        Assert.Equal(("system-node-critical", true, "Default"),
            (manifest.Pod.PriorityClassName, manifest.Pod.HostNetwork, manifest.Pod.DnsPolicy));
        Assert.Equal(("RollingUpdate", "10%"),
            (manifest.DaemonSet.Spec.UpdateStrategy.Type, manifest.DaemonSet.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable.ToString()));
        Assert.Null((await Variants.RenderAsync("updates by hand")).DaemonSet.Spec.UpdateStrategy.RollingUpdate);
    }

    [Fact]
    public async Task Another_configuration_is_another_pod()
    {
        var sums = new[] { Variants.Full, Variants.Chained, "every switch off", "directories", "labels and annotations" };
        var found = await Task.WhenAll(
            sums.Select(async s => (await Variants.RenderAsync(s)).DaemonSet.Spec.Template.Metadata.Annotations["checksum/config"]));
        Assert.Equal(4, found.Distinct().Count());
        Assert.Equal(found[0], found[4]);
    }

    [Theory]
    [InlineData(Variants.Full, "ghcr.io/ebpf-cni/ebpf-cni:0.1.0")]
    [InlineData("image", "registry.example.org:5000/net/ebpf-cni:v1")]
    public async Task Every_container_has_the_image(string variant, string image)
    {
        var manifest = await Variants.RenderAsync(variant);
        var pods = new[] { manifest.Pod, manifest.Only<V1Pod>().Spec };
        Assert.All(pods.SelectMany(p => p.Containers.Concat(p.InitContainers ?? [])), c => Assert.Equal(image, c.Image));
    }

    [Fact]
    public async Task Metrics_are_found_by_those_who_are_to_read_them()
    {
        var manifest = await Variants.RenderAsync("PodMonitor");
        var monitor = manifest.Only<PodMonitor>();
        var endpoint = Assert.Single(monitor.Spec.Endpoints);
        Assert.Equal(("metrics", "/metrics", "30s", "1m30s"), (endpoint.Port, endpoint.Path, endpoint.Interval, endpoint.ScrapeTimeout));
        Assert.Contains(manifest.Agent.Ports, p => p.Name == endpoint.Port);
        Assert.Equal(manifest.DaemonSet.Spec.Selector.MatchLabels, monitor.Spec.Selector.MatchLabels);
        Assert.Equal("prometheus", monitor.Metadata.Labels["release"]);
        var annotations = (await Variants.RenderAsync("annotations for scraping")).DaemonSet.Spec.Template.Metadata.Annotations;
        Assert.Equal(("true", "9249", "/metrics"),
            (annotations["prometheus.io/scrape"], annotations["prometheus.io/port"], annotations["prometheus.io/path"]));
    }

    /// <summary>ecni looks where the sockets are.</summary>
    [Fact]
    public async Task Ecni_finds_the_agent()
    {
        Assert.Equal(OptionTable.All.Single(o => o.Name == "run-dir").Default,
            (string?)JsonNode.Parse((await Variants.RenderAsync(Variants.Full)).AgentJson)!["runDir"]);
        Assert.Equal("/run/other", Value((await Variants.RenderAsync("directories")).Agent, "EBPF_CNI_RUN_DIR"));
    }

    private static string? Value(V1Container container, string name) => container.Env.SingleOrDefault(e => e.Name == name)?.Value;

    /// <summary>The node's path of what the container sees there; null where it is the container's own.</summary>
    private static string? OnNode(Manifest manifest, V1Container container, string path)
    {
        var mount = container.VolumeMounts.Where(m => (path + "/").StartsWith(m.MountPath + "/", StringComparison.Ordinal))
            .MaxBy(m => m.MountPath.Length);
        return mount is null ? null : manifest.Pod.Volumes.Single(v => v.Name == mount.Name).HostPath?.Path
            + path[mount.MountPath.Length..];
    }
}
