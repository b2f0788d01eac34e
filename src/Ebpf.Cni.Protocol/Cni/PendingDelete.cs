using System.Text;
using System.Text.Json;

namespace Ebpf.Cni.Protocol.Cni;

/// <summary>
/// A DEL that the agent was not there to do: one file an attachment, in a directory beside the agent's socket. The plugin writes it, the
/// agent does it and removes it.
/// </summary>
/// <param name="ContainerId">A container id.</param>
/// <param name="Ifname">An interface name.</param>
public sealed record PendingDelete(string ContainerId, string Ifname)
{
    /// <summary>Name of the directory.</summary>
    public const string DirectoryName = "deletes";

    /// <summary>Ends the names of complete files; others are being written, or orphaned.</summary>
    public const string Extension = ".json";

    /// <summary>More attachments than a node has pods: a directory that no agent empties must not fill a disk.</summary>
    public const int FilesMax = 4096;

    /// <summary>Twice what the longest names need.</summary>
    public const int BytesMax = 1024;

    /// <summary>
    /// Both names without what a path or a file system could take amiss: a container id begins with a letter or digit, neither has a slash.
    /// </summary>
    private const int ReadableMax = 200;

    /// <summary>Beside the socket.</summary>
    public static string DirectoryBeside(string socket) => Path.Combine(Path.GetDirectoryName(socket) ?? "/", DirectoryName);

    /// <summary>The same for the same attachment: a DEL that is repeated replaces its file.</summary>
    public string FileName
    {
        get
        {
            var name = $"{ContainerId}@{Ifname}";
            return (name.Length <= ReadableMax ? name : $"{ContainerId[..100]}~{Hash(name):x16}@{Ifname}") + Extension;
        }
    }

    public byte[] ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("containerId"u8, ContainerId);
            writer.WriteString("ifname"u8, Ifname);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>Null when it is none.</summary>
    public static PendingDelete? Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var (id, ifname) = (document.RootElement.GetProperty("containerId").GetString(),
                document.RootElement.GetProperty("ifname").GetString());
            return CniNames.IsContainerId(id) && CniNames.IsInterfaceName(ifname) ? new PendingDelete(id!, ifname!) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>FNV-1a, 64 bits: distinguishes long names, and needs no library.</summary>
    private static ulong Hash(string text)
    {
        var hash = 0xcbf29ce484222325UL;
        foreach (var b in Encoding.UTF8.GetBytes(text))
            hash = (hash ^ b) * 0x100000001b3UL;
        return hash;
    }
}
