using System.Globalization;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>The requests for one kind, as path and query relative to the API server's address.</summary>
/// <param name="path">The kind's collection.</param>
/// <param name="selector">The label selector of every request; null: all objects.</param>
internal sealed class ApiPaths(string path, string? selector)
{
    private readonly string _path = selector is null ? path + "?" : $"{path}?labelSelector={Uri.EscapeDataString(selector)}&";

    /// <summary>A page of the present state, read from etcd: no resourceVersion, and thus no cache that lags behind.</summary>
    /// <param name="limit">Objects.</param>
    /// <param name="token">The continue token of the page before; null: the first page.</param>
    public string Page(int limit, string? token)
    {
        var first = string.Create(CultureInfo.InvariantCulture, $"{_path}limit={limit}");
        return token is null ? first : $"{first}&continue={Uri.EscapeDataString(token)}";
    }

    /// <summary>The whole present state in one answer.</summary>
    public string Everything() => _path[..^1];

    /// <summary>
    /// Any state not older than a version, in one answer: what the API server's watch cache serves without asking etcd (with a limit older
    /// servers would ask it; so does client-go's reflector).
    /// </summary>
    public string NotOlderThan(string version) =>
        $"{_path}resourceVersion={Uri.EscapeDataString(version)}&resourceVersionMatch=NotOlderThan";

    /// <summary>One object, if the server knows the version: the cheapest check of that.</summary>
    public string Check(string version) => NotOlderThan(version) + "&limit=1";

    public string Watch(string version, TimeSpan timeout) => string.Create(
        CultureInfo.InvariantCulture,
        $"{_path}watch=1&allowWatchBookmarks=true&timeoutSeconds={Math.Max(1, (int)timeout.TotalSeconds)}"
        + $"&resourceVersion={Uri.EscapeDataString(version)}");
}
