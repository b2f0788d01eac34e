using System.Buffers;
using System.Text.Json;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Installation;

/// <summary>
/// Puts the plugin and the network configuration where the container runtime looks, each in one step and only where different.
/// </summary>
public sealed partial class CniInstaller(PluginPaths paths, ILogger<CniInstaller> log)
{
    public const string PluginName = "ebpf-cni";

    /// <summary>Sorts before other plugins' files: runtimes take the first.</summary>
    public const string ConfigurationName = "05-ebpf-cni.conflist";

    /// <summary>
    /// What our configuration says it is. A runtime takes the newest of them that it knows, and asks for GC and
    /// STATUS from 1.1.0 on; one that is older than the choice (containerd before 2.0) reads the first alone.
    /// </summary>
    public static readonly IReadOnlyList<string> ConfigurationVersions = ["1.0.0", CniVersion.Newest];

    private const UnixFileMode ReadableByAll =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>A runtime that finds the configuration takes the node for ready: call this when it is.</summary>
    /// <exception cref="IOException">A directory cannot be written.</exception>
    public void Install()
    {
        InstallPlugin();
        Put(Own, Configuration(), ReadableByAll);
    }

    /// <summary>
    /// --cni-mode chained: puts our plugin behind those of the configuration that the runtime takes now. Where there is none (any more),
    /// ours goes too.
    /// </summary>
    /// <returns>Why pods do not go through our plugin, in words; null when they do.</returns>
    /// <exception cref="IOException">A directory cannot be written.</exception>
    public string? InstallChained()
    {
        InstallPlugin();
        var other = ChainedConfiguration.Base(paths.ConfDir);
        if (other is null)
        {
            File.Delete(Own);
            return $"no other CNI plugin's configuration found in {paths.ConfDir}";
        }

        try
        {
            if (ChainedConfiguration.Compose(File.ReadAllBytes(other), paths.Socket) is not { } composed)
            {
                File.Delete(Own);
                return null;
            }

            Put(Own, composed, ReadableByAll);
        }
        catch (JsonException e)
        {
            return $"{other} cannot be read: {e.Message}";
        }
        catch (NotSupportedException e)
        {
            File.Delete(Own);
            return $"{other}: {e.Message}";
        }

        return string.CompareOrdinal(Path.GetFileName(other), ConfigurationName) < 0
            ? $"{other} sorts before {Own}, and runtimes take the first: add "
                + $"{{\"type\":\"{PluginName}\",\"agentSocket\":\"{paths.Socket}\"}} to its plugins"
            : null;
    }

    private string Own => Path.Combine(paths.ConfDir, ConfigurationName);

    private void InstallPlugin()
    {
        if (PluginFile.Install(paths))
            Log.Installed(log, PluginFile.Target(paths));
        Directory.CreateDirectory(paths.ConfDir);
        AtomicFile.RemoveLeftovers(paths.ConfDir, ConfigurationName);
    }

    private void Put(string path, byte[] content, UnixFileMode mode)
    {
        if (AtomicFile.Ensure(path, content, mode))
            Log.Installed(log, path);
    }

    private byte[] Configuration()
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("cniVersion", ConfigurationVersions[0]);
            writer.WriteStartArray("cniVersions");
            foreach (var version in ConfigurationVersions)
                writer.WriteStringValue(version);
            writer.WriteEndArray();
            writer.WriteString("name", "ebpf-cni");
            writer.WriteStartArray("plugins");
            WritePlugin(writer, paths.Socket, RuntimeConfig.Capabilities);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Our element of a list's plugins. The runtime hands over only what a plugin says it is capable of.</summary>
    internal static void WritePlugin(Utf8JsonWriter writer, string agentSocket, IReadOnlyList<string> capabilities)
    {
        writer.WriteStartObject();
        writer.WriteString("type", PluginName);
        writer.WriteString("agentSocket", agentSocket);
        writer.WriteStartObject("capabilities");
        foreach (var capability in capabilities)
            writer.WriteBoolean(capability, true);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static partial class Log
    {
        [LoggerMessage(3151, LogLevel.Information, "CNI: installed {Path}")]
        public static partial void Installed(ILogger log, string path);
    }
}
