using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Api.Patching;

/// <summary>JSON merge patch, RFC 7386: null removes, objects merge, all else replaces.</summary>
public static class MergePatch
{
    public static JsonObject Apply(JsonObject target, JsonObject patch)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(patch);
        foreach (var (name, value) in patch)
        {
            switch (value)
            {
                case null:
                    target.Remove(name);
                    break;
                case JsonObject inner:
                    if (target[name] is JsonObject present)
                        Apply(present, inner);
                    else
                        target[name] = Apply([], inner);
                    break;
                default:
                    target[name] = value.DeepClone();
                    break;
            }
        }

        return target;
    }
}
