using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>What a path below /api/v1 or /apis/group/version names.</summary>
internal sealed record ResourceRequest(ResourceType Type, string Namespace, string? Name, string? Subresource)
{
    /// <summary>Null: the path names no resource that is served here.</summary>
    public static ResourceRequest? Parse(PathString path)
    {
        var parts = (path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        (string Group, string Version, string[] Parts)? root = parts switch
        {
            ["api", var version, .. var rest] => ("", version, rest),
            ["apis", var group, var version, .. var rest] => (group, version, rest),
            _ => null,
        };
        if (root is not { } r)
            return null;
        return r.Parts switch
        {
            // "namespaces/x/pods/…" is a path into a namespace; "namespaces/x" and "namespaces/x/status" are the Namespace itself.
            ["namespaces", var ns, var plural, .. var rest] when Find(r.Group, r.Version, plural) is { Namespaced: true } type =>
                From(type, ns, rest),
            [var plural, .. var rest] when Find(r.Group, r.Version, plural) is { } type && (!type.Namespaced || rest.Length == 0) =>
                From(type, "", rest),
            _ => null,
        };
    }

    private static ResourceType? Find(string group, string version, string plural) => ResourceTypes.Find(group, version, plural);

    private static ResourceRequest? From(ResourceType type, string ns, string[] rest) => rest.Length <= 2
        ? new ResourceRequest(type, ns, rest.ElementAtOrDefault(0), rest.ElementAtOrDefault(1))
        : null;
}
