using System.Text.Json;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// Members of network configurations, and of what runtimes hand over in runtimeConfig. The conventions write them hostPort; containerd
/// writes HostPort, as its struct's field is called, and the reference plugins, in Go like it, read all of them in any case.
/// </summary>
internal static class AnyCase
{
    /// <summary>The member of that very name, else the first that differs only by case. False on what is no object.</summary>
    public static bool TryGetAnyCase(this JsonElement owner, string name, out JsonElement value)
    {
        value = default;
        if (owner.ValueKind != JsonValueKind.Object)
            return false;
        if (owner.TryGetProperty(name, out value))
            return true;
        foreach (var member in owner.EnumerateObject())
        {
            if (!IsNamed(member, name))
                continue;
            value = member.Value;
            return true;
        }

        return false;
    }

    private static bool IsNamed(JsonProperty member, string name)
    {
        try
        {
            return member.Name.Equals(name, StringComparison.OrdinalIgnoreCase);
        }
        catch (InvalidOperationException)
        {
            return false; // half of a surrogate pair: no text
        }
    }
}
