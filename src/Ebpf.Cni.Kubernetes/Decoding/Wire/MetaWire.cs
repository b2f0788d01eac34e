using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>An object whose metadata can be read even if nothing else can.</summary>
internal interface IObjectWire
{
    /// <summary>The kind, which events carry and elements of a list do not.</summary>
    string? Kind { get; }

    MetaWire? Metadata { get; }
}

internal sealed class MetaOnlyWire : IObjectWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Kind { get; set; }

    public MetaWire? Metadata { get; set; }
}

internal sealed class MetaWire
{
    [JsonConverter(typeof(PooledString))]
    public string? Namespace { get; set; }

    [JsonConverter(typeof(PooledString))]
    public string? Name { get; set; }

    public string? Uid { get; set; }
    public string? ResourceVersion { get; set; }
    public LabelsWire? Labels { get; set; }
    public AnnotationsWire? Annotations { get; set; }
    public string? DeletionTimestamp { get; set; }
}

/// <summary>The labels that mean something to us; the rest is skipped unread.</summary>
[JsonConverter(typeof(LabelsConverter))]
internal sealed class LabelsWire
{
    public string? ServiceName { get; set; }
    public string? ProxyName { get; set; }
    public bool Headless { get; set; }
    public string? Zone { get; set; }
}

internal sealed class LabelsConverter() : KnownStringsConverter<LabelsWire>("labels")
{
    private const int Service = 1, Proxy = 2, Headless = 3, Zone = 4;

    protected override int Known(ref Utf8JsonReader key) =>
        key.ValueTextEquals("kubernetes.io/service-name"u8) ? Service
        : key.ValueTextEquals("service.kubernetes.io/service-proxy-name"u8) ? Proxy
        : key.ValueTextEquals("service.kubernetes.io/headless"u8) ? Headless
        : key.ValueTextEquals("topology.kubernetes.io/zone"u8) ? Zone
        : 0;

    protected override void Take(LabelsWire strings, int known, ref Utf8JsonReader value)
    {
        switch (known)
        {
            case Service:
                strings.ServiceName = StringPool.Get(ref value);
                break;
            case Proxy:
                strings.ProxyName = StringPool.Get(ref value);
                break;
            case Zone:
                strings.Zone = StringPool.Get(ref value);
                break;
            case Headless:
                strings.Headless = true;
                break;
        }
    }
}
