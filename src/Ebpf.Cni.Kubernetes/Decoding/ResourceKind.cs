using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>What a reflector has to know of a kind: where it lives and how one object is decoded.</summary>
internal abstract class ResourceKind<T>(string kind, string path, string? selector)
    where T : class
{
    /// <summary>Service, EndpointSlice or Node.</summary>
    public string Kind { get; } = kind;

    /// <summary>Relative to the API server's address, no leading slash.</summary>
    public string Path { get; } = path;

    /// <summary>The label selector of the objects that are of interest; null: all.</summary>
    public string? Selector { get; } = selector;

    /// <summary>The members of an object that are read.</summary>
    public abstract KeptMembers Members { get; }

    /// <summary>Decodes one object; never throws for what the bytes hold.</summary>
    public abstract Decoded<T> Decode(in ReadOnlySequence<byte> json);

    /// <summary>Only the metadata, for deletions and for what cannot be decoded.</summary>
    public Decoded<T> DecodeMeta(in ReadOnlySequence<byte> json, string? error)
    {
        try
        {
            var wire = WireReader.Read(json, WireJson.Default.MetaOnlyWire);
            return IsForeign(wire, out var foreign) ? foreign : Named(wire?.Metadata, null, error);
        }
        catch (JsonException e)
        {
            return new Decoded<T>(default, "", "", null, error ?? e.Message);
        }
    }

    protected static Decoded<T> Named(MetaWire? meta, T? value, string? error) => string.IsNullOrEmpty(meta?.Name)
        ? new Decoded<T>(default, "", "", null, error ?? "the object has no name")
        : new Decoded<T>(NameOf(meta), meta.Uid ?? "", meta.ResourceVersion ?? "", value, error);

    /// <summary>An object that says that it is of another kind says nothing about ours, least of all by its name.</summary>
    protected bool IsForeign(IObjectWire? wire, out Decoded<T> foreign)
    {
        foreign = new Decoded<T>(default, "", "", null, $"the object is of kind '{wire?.Kind}', not {Kind}");
        return wire?.Kind is { } said && said != Kind;
    }

    protected static ObjectName NameOf(MetaWire meta) => new(meta.Namespace ?? "", meta.Name ?? "");
}

/// <param name="kind">The API's kind.</param>
/// <param name="path">Relative to the API server's address.</param>
/// <param name="selector">The label selector of what is of interest; null: everything.</param>
/// <param name="type">The generated decoder of the wire form.</param>
/// <param name="convert">Wire form, with a name, to snapshot; total.</param>
internal sealed class ResourceKind<TWire, T>(
    string kind, string path, string? selector, JsonTypeInfo<TWire> type, Func<TWire, MetaWire, ObjectName, T> convert)
    : ResourceKind<T>(kind, path, selector)
    where TWire : class, IObjectWire
    where T : class
{
    public override KeptMembers Members { get; } = KeptMembers.Of(type);

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

        if (IsForeign(wire, out var foreign))
            return foreign;
        return wire?.Metadata is { Name.Length: > 0 } meta
            ? Named(meta, convert(wire, meta, NameOf(meta)), null)
            : Named(null, null, null);
    }
}
