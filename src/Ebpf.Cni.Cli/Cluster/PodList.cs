using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>What is read of a v1.PodList.</summary>
internal sealed record PodList
{
    public IReadOnlyList<Pod>? Items { get; set; }

    internal sealed record Pod
    {
        public PodMetadata? Metadata { get; set; }
        public PodSpec? Spec { get; set; }
        public PodStatus? Status { get; set; }

        /// <summary>A DaemonSet's pod that was not scheduled yet names its node in its affinity.</summary>
        public string? Node => Spec?.NodeName is { Length: > 0 } name ? name
            : Spec?.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution?.NodeSelectorTerms?
                .SelectMany(t => t.MatchFields ?? []).Where(f => f.Key == "metadata.name").SelectMany(f => f.Values ?? []).FirstOrDefault();

        public ContainerStatus? Container(string name) => Status?.ContainerStatuses?.FirstOrDefault(c => c.Name == name);
    }

    internal sealed record PodMetadata
    {
        public string? Name { get; set; }
        public string? Namespace { get; set; }
        public DateTimeOffset? CreationTimestamp { get; set; }
        public DateTimeOffset? DeletionTimestamp { get; set; }
    }

    internal sealed record PodSpec
    {
        public string? NodeName { get; set; }
        public Affinity? Affinity { get; set; }
    }

    internal sealed record Affinity(NodeAffinity? NodeAffinity);

    internal sealed record NodeAffinity(NodeSelector? RequiredDuringSchedulingIgnoredDuringExecution);

    internal sealed record NodeSelector(IReadOnlyList<NodeSelectorTerm>? NodeSelectorTerms);

    internal sealed record NodeSelectorTerm(IReadOnlyList<Requirement>? MatchFields);

    internal sealed record Requirement(string? Key, IReadOnlyList<string>? Values);

    internal sealed record PodStatus
    {
        public string? Phase { get; set; }
        public string? Reason { get; set; }
        public IReadOnlyList<ContainerStatus>? ContainerStatuses { get; set; }
    }

    internal sealed record ContainerStatus(string? Name, ContainerState? State);

    internal sealed record ContainerState(JsonElement? Running, Reasoned? Waiting, Reasoned? Terminated);

    internal sealed record Reasoned(string? Reason);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PodList))]
internal sealed partial class PodListJson : JsonSerializerContext;
