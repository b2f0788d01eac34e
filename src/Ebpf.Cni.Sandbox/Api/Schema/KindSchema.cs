using Ebpf.Cni.Sandbox.Store;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Ebpf.Cni.Sandbox.Api.Schema;

/// <summary>The fields of the served kinds, from the .proto files beside this one.</summary>
internal static class KindSchema
{
    public const string Meta = "io.k8s.apimachinery.v1.";

    private static readonly Dictionary<string, MessageDescriptor> Messages = Load();

    /// <summary>What precedes an object on the wire.</summary>
    public static MessageDescriptor Envelope { get; } = Messages[Meta + "Unknown"];

    public static MessageDescriptor DeleteOptions { get; } = Messages[Meta + "DeleteOptions"];

    /// <summary>Null: the kind's fields are not known.</summary>
    public static MessageDescriptor? Find(ResourceType type) =>
        Messages.GetValueOrDefault($"io.k8s.api.{(type.Group.Length == 0 ? "core" : type.Group.Split('.')[0])}.{type.Version}.{type.Kind}");

    /// <summary>In JSON the members of such a field are its owner's: the API's Go types embed it.</summary>
    public static bool IsInline(FieldDescriptor field) => field.Name is "handler" or "volumeSource" or "localObjectReference";

    private static Dictionary<string, MessageDescriptor> Load()
    {
        using var stream = typeof(KindSchema).Assembly.GetManifestResourceStream("kinds.pb")!;
        var files = FileDescriptorSet.Parser.ParseFrom(stream).File.Select(file => file.ToByteString());
        return FileDescriptor.BuildFromByteStrings(files).SelectMany(file => file.MessageTypes).ToDictionary(message => message.FullName);
    }
}
