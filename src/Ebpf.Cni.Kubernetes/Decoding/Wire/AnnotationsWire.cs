using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>The annotations that mean something to us; the rest, which may be large, is skipped unread.</summary>
[JsonConverter(typeof(AnnotationsConverter))]
internal sealed class AnnotationsWire
{
    public string? LastChangeTriggerTime { get; set; }

    /// <summary>What spec.loadBalancerSourceRanges was before it was a field.</summary>
    public string? SourceRanges { get; set; }
}

internal sealed class AnnotationsConverter() : KnownStringsConverter<AnnotationsWire>("annotations")
{
    private const int Trigger = 1, Ranges = 2;

    protected override int Known(ref Utf8JsonReader key) =>
        key.ValueTextEquals("endpoints.kubernetes.io/last-change-trigger-time"u8) ? Trigger
        : key.ValueTextEquals("service.beta.kubernetes.io/load-balancer-source-ranges"u8) ? Ranges
        : 0;

    protected override void Take(AnnotationsWire strings, int known, ref Utf8JsonReader value)
    {
        if (known == Trigger)
            strings.LastChangeTriggerTime = value.GetString();
        else
            strings.SourceRanges = value.GetString();
    }
}
