using System.Buffers;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Installation;

/// <summary>
/// The configuration list for --cni-mode chained: the other plugin's, whole and under its own name, with our plugin behind its last. It
/// goes into a file of our own that sorts first; the other's file is left as it is, so that removing ours is all it takes to be gone.
/// </summary>
public static class ChainedConfiguration
{
    private static readonly string[] Extensions = [".conf", ".conflist", ".json"];

    /// <summary>The files that a runtime reads, in its order; none without the directory.</summary>
    public static IReadOnlyList<FileInfo> Files(string directory) => Directory.Exists(directory)
        ? [.. new DirectoryInfo(directory).EnumerateFiles().Where(f => Extensions.Contains(f.Extension))
            .OrderBy(f => f.Name, StringComparer.Ordinal)]
        : [];

    /// <summary>The file that a runtime would take if ours were not there; null without any.</summary>
    public static string? Base(string directory) =>
        Files(directory).FirstOrDefault(f => f.Name != CniInstaller.ConfigurationName)?.FullName;

    /// <summary>A list's plugins, or the one that a configuration without a list is; empty where it is none.</summary>
    public static JsonElement[] Plugins(JsonElement root) =>
        root.ValueKind != JsonValueKind.Object ? []
        : !root.TryGetProperty("plugins", out var list) ? [root]
        : list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : [];

    public static bool IsOurs(JsonElement plugin) =>
        plugin.ValueKind == JsonValueKind.Object && plugin.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
            && type.ValueEquals(CniInstaller.PluginName);

    /// <returns>Null when our plugin is in it already: an administrator added it.</returns>
    /// <exception cref="JsonException">It is no configuration.</exception>
    /// <exception cref="NotSupportedException">
    /// It is in a version of the specification that our plugin does not speak: behind it, it would refuse every pod.
    /// </exception>
    public static byte[]? Compose(ReadOnlyMemory<byte> other, string agentSocket)
    {
        using var document = JsonDocument.Parse(other);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
            throw new JsonException("not a network configuration");
        var isList = root.TryGetProperty("plugins", out var list);
        if (isList ? list.ValueKind != JsonValueKind.Array : !root.TryGetProperty("type", out _))
            throw new JsonException("the configuration has no plugins");
        var version = root.TryGetProperty("cniVersion", out var stated) && stated.ValueKind == JsonValueKind.String
            ? CniVersion.Of(stated.GetString()!)
            : CniVersion.Unstated;
        if (!CniVersion.IsSupported(version))
            throw new NotSupportedException($"cniVersion '{version}' is not one of {string.Join(", ", CniVersion.Supported)}");
        var plugins = Plugins(root);
        return plugins.Any(IsOurs)
            ? null
            : Write(root, isList, plugins, agentSocket);
    }

    private static byte[] Write(JsonElement root, bool isList, JsonElement[] plugins, string agentSocket)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            // A single plugin's configuration is the list's and the plugin's in one.
            foreach (var member in root.EnumerateObject().Where(m => isList ? m.Name != "plugins" : m.Name is "cniVersion" or "name"))
                member.WriteTo(writer);
            writer.WriteStartArray("plugins");
            foreach (var plugin in plugins)
                plugin.WriteTo(writer);
            CniInstaller.WritePlugin(writer, agentSocket, DoesPorts(plugins) ? [] : ["portMappings"]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>hostPorts are done by one plugin: the other's portmap goes before us.</summary>
    private static bool DoesPorts(JsonElement[] plugins) => plugins.Any(p =>
        p.ValueKind == JsonValueKind.Object && p.TryGetProperty("capabilities", out var capabilities)
            && capabilities.ValueKind == JsonValueKind.Object
        && capabilities.TryGetProperty("portMappings", out var ports) && ports.ValueKind == JsonValueKind.True);
}
