using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>What a running sandbox writes down, so that other processes find it and a later one can clean up after it.</summary>
/// <param name="Owner">The process that serves the API.</param>
/// <param name="Api">Null until it serves.</param>
/// <param name="Ready">All nodes are up.</param>
internal sealed record SandboxRecord(ProcessIdentity Owner, Uri? Api, IReadOnlyList<string> Nodes, bool Ready)
{
    /// <summary>Null if there is none, or only half of one.</summary>
    public static SandboxRecord? Read(SandboxPaths paths)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(paths.StateFile));
            if (json.Number("owner") is not { } owner || json.Number("ownerStartTime") is not { } started)
                return null;
            var api = json.Text("api") is { } text ? new Uri(text) : null;
            return new SandboxRecord(new ProcessIdentity((int)owner, (ulong)started), api, [.. json.Texts("nodes")],
                json.Flag("ready") ?? false);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }

    public void Write(SandboxPaths paths)
    {
        var json = new JsonObject
        {
            ["owner"] = Owner.Id,
            ["ownerStartTime"] = (long)Owner.StartTime,
            ["api"] = Api?.ToString(),
            ["nodes"] = Nodes.ToJsonArray(),
            ["ready"] = Ready,
        };
        var temporary = paths.StateFile + ".new";
        File.WriteAllText(temporary, json.ToJsonString());
        File.Move(temporary, paths.StateFile, overwrite: true);
    }
}
