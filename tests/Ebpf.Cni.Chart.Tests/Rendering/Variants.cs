using System.Collections.Concurrent;

namespace Ebpf.Cni.Chart.Tests.Rendering;

/// <summary>Ways to install the chart: each profile, and each optional feature on or off. Each is rendered once, whoever asks.</summary>
internal static class Variants
{
    public const string Full = "full", Chained = "chained", Oldest = "kubernetes 1.29";

    /// <summary>Pods that clean up, in the agents' place.</summary>
    public const string Cleanup = "cleanup", ForcedCleanup = "cleanup, forced, kubernetes 1.29";

    private const string Scraped = "agent: {metricsAddress: '0.0.0.0:10249'}\n";

    private sealed record Variant(string KubeVersion, string Values);

    private static readonly Dictionary<string, Variant> All = new()
    {
        [Full] = new("1.35.0", "{}"),
        [Chained] = new("1.35.0", "profile: chained"),
        [Oldest] = new("1.29.0", "{}"),
        ["kubernetes 1.29 as a provider calls it, chained"] = new("v1.29.3-gke.100", "profile: chained"),
        ["kubernetes 1.30"] = new("1.30.0", "{}"),
        ["API server's name"] = new("1.35.0", "apiServer: {host: api.example.org}"),
        ["API server's IPv6 address"] = new("1.35.0", "apiServer: {host: 'fd00::1', port: 8443}"),
        ["names"] = new("1.35.0", "nameOverride: net\nserviceAccount: {name: account, annotations: {a: b}}\n"),
        ["full name"] = new("1.35.0", "fullnameOverride: " + new string('n', 63)),
        ["no account, no role"] = new("1.35.0", "serviceAccount: {create: false, name: other}\nrbac: {create: false}"),
        ["PodMonitor"] = new("1.35.0",
            Scraped + "metrics: {podMonitor: {enabled: true, interval: 30s, scrapeTimeout: 1m30s, labels: {release: prometheus}}}"),
        ["PodMonitor as Prometheus is set"] = new("1.35.0", Scraped + "metrics: {podMonitor: {enabled: true}}"),
        ["annotations for scraping"] = new("1.35.0", "agent: {metricsAddress: '[::]:9249'}\nmetrics: {scrapeAnnotations: true}"),
        ["other addresses"] = new("1.35.0", "agent: {metricsAddress: '127.0.0.1:9999', healthzAddress: '[fd00::5]:9998'}"),
        ["health on all of IPv6"] = new("1.35.0", "agent: {healthzAddress: '[::]:10256'}"),
        ["labels and annotations"] = new("1.35.0",
            """
            commonLabels: {team: net, 'on': 'yes', both: common}
            commonAnnotations: {note: 'true', both: common}
            podLabels: {pod: '1', both: pod}
            podAnnotations: {why: 'null', checksum/config: mine}
            serviceAccount: {annotations: {role: '12', both: account}}
            """),
        ["where it runs"] = new("1.35.0",
            """
            tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoSchedule}]
            nodeSelector: {network: ebpf}
            affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}}}
            priorityClassName: other
            """),
        ["nothing that may be left out"] = new("1.35.0",
            "seLinuxOptions: null\nnodeSelector: null\ntolerations: null\naffinity: null\nresources: null"),
        ["resources"] = new("1.35.0", "resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 2Gi, cpu: 1500m}}"),
        ["directories"] = new("1.35.0",
            "hostPaths: {cniBin: /usr/lib/cni, cniConf: /var/lib/rancher/k3s/agent/etc/cni/net.d, netns: /var/run/netns, state: "
                + "/data/ebpf-cni, run: /run/other}"),
        ["image"] = new("1.35.0",
            "image: {repository: 'registry.example.org:5000/net/ebpf-cni', tag: v1, pullPolicy: Always, pullSecrets: [{name: secret}]}"),
        ["image by digest"] = new("1.35.0", "image: {digest: 'sha256:" + new string('a', 64) + "'}"),
        ["updates by hand"] = new("1.35.0", "updateStrategy: {type: OnDelete}"),
        ["updates one by one"] = new("1.35.0", "updateStrategy: {maxUnavailable: 1}"),
        ["directories of others"] = new("1.35.0", "capabilities: {dacOverride: true}"),
        ["an old kernel"] = new("1.35.0", "capabilities: {sysResource: true}"),
        ["probes"] = new("1.35.0",
            "probes: {startup: {failureThreshold: 3600}, readiness: {periodSeconds: 1}, liveness: {timeoutSeconds: 9}}"),
        [Cleanup] = new("1.35.0", Scraped + "cleanup: {enabled: true}\nmetrics: {scrapeAnnotations: true}"),
        [ForcedCleanup] = new(
            "1.29.0", "cleanup: {enabled: true, force: true}\nprofile: chained\ncapabilities: {dacOverride: true}\nresources: null"),
        ["every switch off"] = new("1.35.0",
            """
            agent:
              socketLb: "off"
              localhostNodeports: false
              externalIps: false
              masquerade: false
              bindGuard: false
              dropLog: false
              mtu: 1280
              serviceMetrics: 0
              ipReuseDelay: 0
            """),
        ["former names"] = new("1.35.0", "agent: {addressRest: 7}"),
        ["texts of the agent"] = new("1.35.0",
            """
            agent:
              nodeportAddresses: 10.0.0.0/8, fd00::/64
              masqueradeExempt: 192.168.0.0/16
              uplinks: eth*,bond0.5
              logFormat: json
              routing: tunnel
              tunnelUnderlay: ipv6
            """),
    };

    private static readonly ConcurrentDictionary<string, Lazy<Task<Manifest>>> Rendered = new();

    public static TheoryData<string> Names() => [.. All.Keys];

    /// <summary>Those that run agents.</summary>
    public static TheoryData<string> NamesWithAgents() => [.. All.Keys.Where(n => n is not (Cleanup or ForcedCleanup))];

    /// <summary>The rendering, with the pods of helm test.</summary>
    public static Task<Manifest> RenderAsync(string name) =>
        Rendered.GetOrAdd(name, n => new Lazy<Task<Manifest>>(() => RenderAsync(All[n]))).Value;

    public static Task<HelmResult> LintAsync(string name) => Helm.WithValuesAsync(All[name].Values, args => Helm.LintAsync(args));

    private static async Task<Manifest> RenderAsync(Variant variant)
    {
        var result = await Helm.WithValuesAsync(variant.Values, args => Helm.TemplateAsync(variant.KubeVersion, args));
        Assert.True(result.Succeeded, result.Errors);
        return new Manifest(result.Output);
    }
}
