using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

internal sealed class EndpointSliceWire : IObjectWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Kind { get; set; }

    public MetaWire? Metadata { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? AddressType { get; set; }

    public EndpointWire?[]? Endpoints { get; set; }
    public EndpointPortWire?[]? Ports { get; set; }
}

internal sealed class EndpointWire
{
    public string?[]? Addresses { get; set; }
    public ConditionsWire? Conditions { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? NodeName { get; set; }

    public HintsWire? Hints { get; set; }
}

internal sealed class HintsWire
{
    public HintWire?[]? ForNodes { get; set; }
    public HintWire?[]? ForZones { get; set; }
}

internal sealed class HintWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }
}

internal sealed class ConditionsWire
{
    public bool? Ready { get; set; }
    public bool? Serving { get; set; }
    public bool? Terminating { get; set; }
}

internal sealed class EndpointPortWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? Protocol { get; set; }

    public int? Port { get; set; }
}
