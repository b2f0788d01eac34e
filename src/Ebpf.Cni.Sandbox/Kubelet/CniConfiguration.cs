using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>A network configuration list, as container runtimes read it: the first file by name in the node's directory.</summary>
internal sealed record CniConfiguration(string Name, string CniVersion, IReadOnlyList<JsonObject> Plugins)
{
    /// <summary>Null while there is none.</summary>
    /// <exception cref="FormatException">The first file is not what it should be.</exception>
    public static CniConfiguration? Find(string directory)
    {
        var first = FirstFile(directory);
        if (first is null)
            return null;
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(first)) as JsonObject ?? throw new FormatException($"{first} is no object");
            // a .conf holds one plugin's configuration, a .conflist a list of them
            var plugins = first.EndsWith(".conflist", StringComparison.Ordinal) ? json.Items("plugins").ToList() : [json];
            return json.Text("name") is { Length: > 0 } name && plugins.Count > 0
                && plugins.TrueForAll(plugin => plugin.Text("type") is { Length: > 0 })
                ? new CniConfiguration(name, json.Text("cniVersion") ?? "0.2.0", plugins)
                : throw new FormatException($"{first} lacks a name, or plugins with a type");
        }
        catch (JsonException e)
        {
            throw new FormatException($"{first}: {e.Message}", e);
        }
        catch (FileNotFoundException)
        {
            return null; // gone between the listing and the reading
        }
    }

    public static string? FirstFile(string directory) => Directory.EnumerateFiles(directory)
        .Where(file => Path.GetExtension(file) is ".conflist" or ".conf" or ".json" && !Path.GetFileName(file).StartsWith('.'))
        .Order(StringComparer.Ordinal)
        .FirstOrDefault();

    /// <summary>What a plugin reads from its standard input: its own part with the list's name and version, and what came before.</summary>
    /// <param name="offered">What the runtime knows, by capability: a plugin gets what it says it can use.</param>
    public string InputOf(JsonObject plugin, JsonObject? previous, JsonObject offered)
    {
        var input = plugin.Copy();
        input.Remove("capabilities");
        foreach (var (capability, value) in offered)
            if (plugin.Flag("capabilities", capability) == true)
                input.Child("runtimeConfig")[capability] = value?.DeepClone();
        input["name"] = Name;
        input["cniVersion"] = CniVersion;
        if (previous is not null)
            input["prevResult"] = previous.Copy();
        return input.ToJsonString();
    }
}
