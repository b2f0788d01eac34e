namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>What sandbox to make.</summary>
public sealed record SandboxOptions
{
    /// <summary>Distinguishes sandboxes on one machine; part of every name it makes.</summary>
    public string Name { get; init; } = "demo";

    /// <summary>1 to 26.</summary>
    public int Nodes { get; init; } = 2;

    /// <summary>The zone of each node, in their order; nodes beyond the list are in none.</summary>
    public IReadOnlyList<string> Zones { get; init; } = [];

    /// <summary>
    /// The link of each node, in their order: 0 is the one that nodes beyond the list are on; nodes on another are reached through the
    /// outside router, which knows no pods.
    /// </summary>
    public IReadOnlyList<int> Links { get; init; } = [];

    /// <summary>Services of type LoadBalancer get an address, routed from outside to a node that serves it.</summary>
    public bool LoadBalancer { get; init; }

    /// <summary>
    /// The directory with ebpf-cni-agent, ebpf-cni and bpf/, as published; null: nodes without agents, whose CNI
    /// configuration is the caller's business.
    /// </summary>
    public string? Artifacts { get; init; }

    /// <summary>
    /// What installs the agents: one file with all objects, as the chart renders it. Null: deploy/ebpf-cni.yaml beside the artifacts, or
    /// among them.
    /// </summary>
    public string? Manifest { get; init; }

    /// <summary>Apply the manifest; otherwise kubectl does, and the start does not wait for agents.</summary>
    public bool Install { get; init; } = true;

    /// <summary>Added to every agent's command line.</summary>
    public IReadOnlyList<string> AgentArguments { get; init; } = [];

    /// <summary>
    /// Start the agents and wait until they are ready; otherwise that is left to <see cref="SandboxNode.StartAgentAsync"/>.
    /// </summary>
    public bool StartAgents { get; init; } = true;

    /// <summary>The API's port on this machine's loopback; 0: a free one.</summary>
    public int ApiPort { get; init; }

    /// <summary>Told what happens, a line at a time.</summary>
    public Action<string>? Progress { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The file to install from; null without artifacts.</summary>
    internal string? ManifestFile => Artifacts is null ? null : Manifest ?? ManifestPlaces(Artifacts).FirstOrDefault(File.Exists);

    private static IEnumerable<string> ManifestPlaces(string artifacts) =>
        [Path.GetFullPath(Path.Combine(artifacts, "..", "deploy", "ebpf-cni.yaml")),
            Path.GetFullPath(Path.Combine(artifacts, "deploy", "ebpf-cni.yaml"))];

    internal int LinkOf(int node) => node < Links.Count ? Links[node] : 0;

    internal IReadOnlyDictionary<string, string> LabelsOf(int node) => node < Zones.Count
        ? new Dictionary<string, string> { ["topology.kubernetes.io/zone"] = Zones[node] }
        : new Dictionary<string, string>();

    /// <exception cref="InvalidOperationException">
    /// This process may not make namespaces, or the artifacts are not there; says what to do.
    /// </exception>
    internal void Validate()
    {
        if (!Environment.IsPrivilegedProcess)
            throw new InvalidOperationException("a sandbox makes network namespaces and loads BPF programs: run it as root");
        var agent = Artifacts is null ? null : Path.Combine(Artifacts, "ebpf-cni-agent");
        if (agent is not null && !File.Exists(agent))
            throw new InvalidOperationException($"{agent} is missing: `make publish` makes it");
        if (agent is not null && (ManifestFile is null || !File.Exists(ManifestFile)))
            throw new InvalidOperationException(
                $"the manifest to install from is missing: {Manifest ?? string.Join(" or ", ManifestPlaces(Artifacts!))}");
        ArgumentOutOfRangeException.ThrowIfLessThan(Nodes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Nodes, Fabric.NodeAddressPlan.MostNodes);
        foreach (var link in Links)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(link, nameof(Links));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(link, Fabric.LinkAddresses.MostLinks, nameof(Links));
        }
    }
}
