using System.Text.Json.Serialization;

namespace Ebpf.Cni.Kubernetes.Decoding.Wire;

/// <summary>
/// Generated decoders: only the members named in the wire types are kept, everything else is skipped without an allocation.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ServiceWire))]
[JsonSerializable(typeof(EndpointSliceWire))]
[JsonSerializable(typeof(NodeWire))]
[JsonSerializable(typeof(MetaOnlyWire))]
[JsonSerializable(typeof(ListMetaWire))]
[JsonSerializable(typeof(StatusWire))]
internal sealed partial class WireJson : JsonSerializerContext;
