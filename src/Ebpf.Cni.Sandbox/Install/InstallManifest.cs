using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Install;

/// <summary>What an installation consists of: the rendered chart.</summary>
public sealed class InstallManifest
{
    private InstallManifest(IReadOnlyList<JsonObject> objects, JsonObject daemonSet, PodPlan pod)
    {
        Objects = objects;
        DaemonSet = daemonSet;
        Pod = pod;
    }

    /// <summary>All of its objects, in their order.</summary>
    public IReadOnlyList<JsonObject> Objects { get; }

    /// <summary>The one that runs the agents.</summary>
    public JsonObject DaemonSet { get; }

    /// <summary>What each node has to run.</summary>
    public PodPlan Pod { get; }

    /// <param name="yaml">One file with all objects.</param>
    /// <exception cref="FormatException">Not YAML, not exactly one DaemonSet, or a field of its pod is not understood.</exception>
    public static InstallManifest Parse(string yaml)
    {
        var objects = YamlManifests.Parse(yaml);
        return objects.Where(o => o.Text("kind") == "DaemonSet").ToList() is [var only]
            ? new InstallManifest(objects, only, PodReader.ReadDaemonSet(only))
            : throw new FormatException("the manifest has not exactly one DaemonSet");
    }

    /// <exception cref="FormatException">As for <see cref="Parse"/>, with the file's name.</exception>
    public static async Task<InstallManifest> ReadAsync(string file, CancellationToken ct = default)
    {
        try
        {
            return Parse(await File.ReadAllTextAsync(file, ct));
        }
        catch (FormatException e)
        {
            throw new FormatException($"{file}: {e.Message}", e);
        }
    }

    /// <summary>The data of one of its ConfigMaps.</summary>
    /// <exception cref="FormatException">There is none of this name.</exception>
    public IReadOnlyDictionary<string, string> ConfigMapData(string name) =>
        Objects.FirstOrDefault(o => o.Text("kind") == "ConfigMap" && o.Name() == name) is { } map
            ? map.Pairs("data").ToDictionary()
            : throw new FormatException($"the manifest has no ConfigMap {name}");
}
