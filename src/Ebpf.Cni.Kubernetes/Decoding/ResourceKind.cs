using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>What a reflector has to know of a kind: where it lives and how one object is decoded.</summary>
internal abstract class ResourceKind<T>(string kind, string path)
    where T : class
{
    /// <summary>Service, EndpointSlice or Node.</summary>
    public string Kind { get; } = kind;

    /// <summary>Relative to the API server's address, no leading slash.</summary>
    public string Path { get; } = path;

    /// <summary>Decodes one object; never throws for what the bytes hold.</summary>
    public abstract Decoded<T> Decode(in ReadOnlySequence<byte> json);

    /// <summary>Only the metadata, for deletions and for what cannot be decoded.</summary>
    public static Decoded<T> DecodeMeta(in ReadOnlySequence<byte> json, string? error)
    {
        try
        {
            return Named(WireReader.Read(json, WireJson.Default.MetaOnlyWire)?.Metadata, null, error);
        }
        catch (JsonException e)
        {
            return new Decoded<T>(default, "", "", null, error ?? e.Message);
        }
    }

    protected static Decoded<T> Named(MetaWire? meta, T? value, string? error) => string.IsNullOrEmpty(meta?.Name)
        ? new Decoded<T>(default, "", "", null, error ?? "the object has no name")
        : new Decoded<T>(NameOf(meta), meta.Uid ?? "", meta.ResourceVersion ?? "", value, error);

    protected static ObjectName NameOf(MetaWire meta) => new(meta.Namespace ?? "", meta.Name ?? "");
}

/// <param name="kind">The API's kind.</param>
/// <param name="path">Relative to the API server's address.</param>
/// <param name="type">The generated decoder of the wire form.</param>
/// <param name="convert">Wire form, with a name, to snapshot; total.</param>
internal sealed class ResourceKind<TWire, T>(string kind, string path, JsonTypeInfo<TWire> type, Func<TWire, MetaWire, ObjectName, T> convert)
    : ResourceKind<T>(kind, path)
    where TWire : class, IObjectWire
    where T : class
{
    public override Decoded<T> Decode(in ReadOnlySequence<byte> json)
    {
        TWire? wire;
        try
        {
            wire = WireReader.Read(json, type);
        }
        catch (JsonException e)
        {
            return DecodeMeta(json, e.Message);
        }

        return wire?.Metadata is { Name.Length: > 0 } meta
            ? Named(meta, convert(wire, meta, NameOf(meta)), null)
            : Named(null, null, null);
    }
}
