using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>metadata of a list.</summary>
internal sealed class ListMetaWire
{
    public string? ResourceVersion { get; set; }
    public string? Continue { get; set; }
}

/// <summary>A v1 Status: the body of a failed request and of an ERROR event.</summary>
internal sealed class StatusWire
{
    public string? Message { get; set; }
    public string? Reason { get; set; }
    public int Code { get; set; }
    public StatusDetailsWire? Details { get; set; }

    /// <summary>Reasons of the causes.</summary>
    [JsonIgnore]
    public IEnumerable<string?>? Causes => Details?.Causes?.Select(static c => c?.Reason);
}

internal sealed class StatusDetailsWire
{
    public StatusCauseWire?[]? Causes { get; set; }
}

internal sealed class StatusCauseWire
{
    public string? Reason { get; set; }
}
