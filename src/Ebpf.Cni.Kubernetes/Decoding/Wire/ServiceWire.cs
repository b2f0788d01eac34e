using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

internal sealed class ServiceWire : IObjectWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Kind { get; set; }

    public MetaWire? Metadata { get; set; }
    public ServiceSpecWire? Spec { get; set; }
    public ServiceStatusWire? Status { get; set; }
}

internal sealed class ServiceSpecWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Type { get; set; }

    public string? ClusterIP { get; set; }
    public string?[]? ClusterIPs { get; set; }
    public ServicePortWire?[]? Ports { get; set; }
    public string?[]? ExternalIPs { get; set; }
    public string?[]? LoadBalancerSourceRanges { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? InternalTrafficPolicy { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? ExternalTrafficPolicy { get; set; }

    public int? HealthCheckNodePort { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? SessionAffinity { get; set; }

    public SessionAffinityConfigWire? SessionAffinityConfig { get; set; }
}

internal sealed class SessionAffinityConfigWire
{
    public ClientIPConfigWire? ClientIP { get; set; }
}

internal sealed class ClientIPConfigWire
{
    public int? TimeoutSeconds { get; set; }
}

internal sealed class ServiceStatusWire
{
    public LoadBalancerStatusWire? LoadBalancer { get; set; }
}

internal sealed class LoadBalancerStatusWire
{
    public IngressWire?[]? Ingress { get; set; }
}

internal sealed class IngressWire
{
    public string? Ip { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? IpMode { get; set; }
}

internal sealed class ServicePortWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? Protocol { get; set; }

    public int Port { get; set; }
    public int? NodePort { get; set; }
}
