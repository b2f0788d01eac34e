using System.Text.Json.Serialization;
using Ebpf.Cni.Pods.Addresses;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>The state directory's files.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(EndpointRecord))]
[JsonSerializable(typeof(PoolRecord))]
internal sealed partial class StateJson : JsonSerializerContext;
