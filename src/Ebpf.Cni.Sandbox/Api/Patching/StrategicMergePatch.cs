using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Patching;

/// <summary>
/// Kubernetes' strategic merge: as a merge patch, but lists of objects with a known key are merged item by item, and the directives $patch,
/// $setElementOrder, $deleteFromPrimitiveList and $retainKeys are followed. Also what server-side apply does here: field ownership is not
/// tracked, so what an applier leaves out stays.
/// </summary>
public static class StrategicMergePatch
{
    public static JsonObject Apply(JsonObject target, JsonObject patch)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(patch);
        if (patch.Text("$patch") == "replace")
            return WithoutDirectives(patch);
        RetainKeys(target, patch);
        foreach (var (name, value) in patch)
        {
            if (name.StartsWith("$deleteFromPrimitiveList/", StringComparison.Ordinal))
                DeleteItems(target, name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..], value);
            else if (!name.StartsWith('$'))
                MergeMember(target, name, value);
        }

        return target;
    }

    /// <summary>The member by which items of a list are told apart; null: the list is replaced as a whole.</summary>
    /// <param name="name">The list's name.</param>
    /// <param name="item">The type of its items; only that of ports matters.</param>
    internal static string? MergeKey(string name, string item) => name switch
    {
        "containers" or "initContainers" or "ephemeralContainers" or "volumes" or "env" or "imagePullSecrets" or "secrets" => "name",
        "ports" when item == "ContainerPort" => "containerPort",
        "ports" when item == "ServicePort" => "port",
        "volumeMounts" => "mountPath",
        "conditions" or "addresses" when item.Length > 0 => "type",
        "podIPs" or "hostAliases" => "ip",
        "ownerReferences" => "uid",
        _ => null,
    };

    private static string? MergeKey(string name, JsonArray items) => MergeKey(name, name switch
    {
        "ports" when items.OfType<JsonObject>().Any(i => i.ContainsKey("containerPort")) => "ContainerPort",
        "ports" when items.OfType<JsonObject>().All(i => i.ContainsKey("port")) => "ServicePort",
        "ports" => "",
        _ => "Object",
    });

    private static void MergeMember(JsonObject target, string name, JsonNode? value)
    {
        switch (value)
        {
            case null:
                target.Remove(name);
                break;
            case JsonObject inner when inner.Text("$patch") == "delete":
                target.Remove(name);
                break;
            case JsonObject inner when target[name] is JsonObject member && inner.Text("$patch") != "replace":
                Apply(member, inner);
                break;
            case JsonObject inner:
                target[name] = Apply([], inner);
                break;
            case JsonArray items when MergeKey(name, items) is { } key && target[name] is JsonArray present:
                MergeItems(present, items, key);
                break;
            case JsonArray items:
                target[name] = new JsonArray(
                    [.. items.Where(i => i.Text("$patch") is null).Select(i => i is JsonObject o ? Apply([], o) : i?.DeepClone())]);
                break;
            default:
                target[name] = value.DeepClone();
                break;
        }
    }

    private static void MergeItems(JsonArray present, JsonArray items, string key)
    {
        foreach (var item in items.OfType<JsonObject>())
        {
            if (item.Text("$patch") == "replace" && !item.ContainsKey(key))
            {
                present.Clear();
                continue;
            }

            var match = present.OfType<JsonObject>().FirstOrDefault(p => JsonNode.DeepEquals(p[key], item[key]));
            if (item.Text("$patch") == "delete")
                present.Remove(match);
            else if (match is null)
                present.Add((JsonNode)Apply([], item));
            else
                Apply(match, item);
        }
    }

    private static void DeleteItems(JsonObject target, string name, JsonNode? gone)
    {
        if (target[name] is not JsonArray present || gone is not JsonArray items)
            return;
        foreach (var item in items)
        {
            if (present.FirstOrDefault(p => JsonNode.DeepEquals(p, item)) is { } match)
                present.Remove(match);
        }
    }

    private static void RetainKeys(JsonObject target, JsonObject patch)
    {
        if (patch["$retainKeys"] is null)
            return;
        var kept = patch.Texts("$retainKeys").ToHashSet();
        foreach (var name in target.Select(m => m.Key).Where(n => !kept.Contains(n)).ToList())
            target.Remove(name);
    }

    private static JsonObject WithoutDirectives(JsonObject patch)
    {
        var copy = patch.Copy();
        copy.Remove("$patch");
        return copy;
    }
}
