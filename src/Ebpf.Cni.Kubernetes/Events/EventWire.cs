using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Events;

/// <summary>
/// A core v1 Event, as far as one is written. eventTime stays unset: with it the API demands the other, newer set of fields.
/// </summary>
internal sealed record EventWire(
    string ApiVersion,
    string Kind,
    EventMetaWire Metadata,
    InvolvedObjectWire InvolvedObject,
    string Reason,
    string Message,
    string Type,
    EventSourceWire Source,
    string ReportingComponent,
    string ReportingInstance,
    DateTimeOffset FirstTimestamp,
    DateTimeOffset LastTimestamp,
    int Count);

internal sealed record EventMetaWire(string Name, string Namespace);

internal sealed record InvolvedObjectWire(string ApiVersion, string Kind, string? Namespace, string Name, string? Uid);

internal sealed record EventSourceWire(string Component, string Host);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventWire))]
internal sealed partial class EventJson : JsonSerializerContext;
