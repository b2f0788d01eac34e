using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Schema;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>
/// The documents by which clients find out what is served: groups, kinds, version, and as much OpenAPI as kubectl asks for.
/// </summary>
internal static class Discovery
{
    private static readonly string[] Verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// <summary>Null: not a discovery path.</summary>
    public static JsonObject? Answer(string path) => path.Trim('/').Split('/') switch
    {
        ["version"] => Version(),
        ["api"] => new JsonObject { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1"),
            ["serverAddressByClientCIDRs"] = new JsonArray() },
        ["apis"] => new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1",
            ["groups"] = Groups().Select(g => (JsonNode)Group(g)).ToJsonArray() },
        ["api", "v1"] => Resources("", "v1"),
        ["apis", var group] when Groups().Any(g => g.Group == group) => Group(Groups().First(g => g.Group == group)),
        ["apis", var group, var version] when Groups().Contains((group, version)) => Resources(group, version),
        ["openapi", "v3"] => OpenApiIndex(),
        ["openapi", "v3", "api", "v1"] => OpenApiDocument.Of("", "v1"),
        ["openapi", "v3", "apis", var group, var version] when Groups().Contains((group, version)) => OpenApiDocument.Of(group, version),
        ["openapi", "v2"] => OpenApiDocument.EmptyVersion2(),
        _ => null,
    };

    private static IEnumerable<(string Group, string Version)> Groups() =>
        ResourceTypes.All.Where(t => t.Group.Length > 0).Select(t => (t.Group, t.Version)).Distinct();

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = "32",
        ["gitVersion"] = "v1.32.0+ebpf-cni-sandbox",
        ["gitCommit"] = "",
        ["gitTreeState"] = "",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "",
        ["compiler"] = ".NET " + Environment.Version,
        ["platform"] = RuntimeInformation.ProcessArchitecture == Architecture.X64
        ? "linux/amd64" : "linux/" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant(),
    };

    private static JsonObject Group((string Group, string Version) group)
    {
        JsonObject Entry() => new() { ["groupVersion"] = $"{group.Group}/{group.Version}", ["version"] = group.Version };
        return new JsonObject
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = group.Group,
            ["versions"] = new JsonArray(Entry()),
            ["preferredVersion"] = Entry(),
        };
    }

    private static JsonObject Resources(string group, string version)
    {
        var resources = new JsonArray();
        foreach (var type in ResourceTypes.All.Where(t => t.Group == group && t.Version == version))
        {
            resources.Add((JsonNode)Resource(type));
            if (type.HasStatus)
                resources.Add((JsonNode)Subresource(type, "status", type.Kind));
            if (type.HasScale)
                resources.Add((JsonNode)Subresource(type, "scale", "Scale", "autoscaling", "v1"));
            if (!ReferenceEquals(type, ResourceTypes.Pods))
                continue;
            resources.Add((JsonNode)Subresource(type, "log", type.Kind));
            resources.Add((JsonNode)Subresource(type, "exec", "PodExecOptions"));
            resources.Add((JsonNode)Subresource(type, "portforward", "PodPortForwardOptions"));
        }

        return new JsonObject { ["kind"] = "APIResourceList", ["apiVersion"] = "v1",
            ["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}", ["resources"] = resources };
    }

    private static JsonObject Resource(ResourceType type)
    {
        var resource = new JsonObject
        {
            ["name"] = type.Plural,
            ["singularName"] = type.Singular,
            ["namespaced"] = type.Namespaced,
            ["kind"] = type.Kind,
            ["verbs"] = Verbs.ToJsonArray(),
        };
        if (type.ShortNames.Count > 0)
            resource["shortNames"] = type.ShortNames.ToJsonArray();
        if (type.Categories.Count > 0)
            resource["categories"] = type.Categories.ToJsonArray();
        return resource;
    }

    private static JsonObject Subresource(ResourceType type, string name, string kind, string? group = null, string? version = null)
    {
        var resource = new JsonObject
        {
            ["name"] = $"{type.Plural}/{name}",
            ["singularName"] = "",
            ["namespaced"] = type.Namespaced,
            ["kind"] = kind,
            ["verbs"] = name switch
            {
                "log" => new JsonArray("get"),
                "exec" or "portforward" => new JsonArray("create", "get"),
                _ => new JsonArray("get", "patch", "update"),
            },
        };
        if (group is not null)
            (resource["group"], resource["version"]) = (group, version);
        return resource;
    }

    private static JsonObject OpenApiIndex()
    {
        var paths = new JsonObject { ["api/v1"] = new JsonObject { ["serverRelativeURL"] = "/openapi/v3/api/v1" } };
        foreach (var (group, version) in Groups())
            paths[$"apis/{group}/{version}"] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/apis/{group}/{version}" };
        return new JsonObject { ["paths"] = paths };
    }
}
