using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

internal sealed class NodeWire : IObjectWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Kind { get; set; }

    public MetaWire? Metadata { get; set; }
    public NodeSpecWire? Spec { get; set; }
    public NodeStatusWire? Status { get; set; }
}

internal sealed class NodeSpecWire
{
    public string? PodCIDR { get; set; }
    public string?[]? PodCIDRs { get; set; }
    public TaintWire?[]? Taints { get; set; }
}

internal sealed class TaintWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Key { get; set; }
}

internal sealed class NodeStatusWire
{
    public NodeAddressWire?[]? Addresses { get; set; }
}

internal sealed class NodeAddressWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Type { get; set; }

    public string? Address { get; set; }
}
