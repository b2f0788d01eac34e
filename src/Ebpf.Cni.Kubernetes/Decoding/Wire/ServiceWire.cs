using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

internal sealed class ServiceWire : IObjectWire
{
    public MetaWire? Metadata { get; set; }
    public ServiceSpecWire? Spec { get; set; }
}

internal sealed class ServiceSpecWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Type { get; set; }

    public string? ClusterIP { get; set; }
    public string?[]? ClusterIPs { get; set; }
    public ServicePortWire?[]? Ports { get; set; }
}

internal sealed class ServicePortWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? Protocol { get; set; }

    public int Port { get; set; }
}
