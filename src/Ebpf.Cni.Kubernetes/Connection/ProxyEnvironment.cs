using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or their lower-case forms, as kubectl reads them. .NET's own reading
/// knows no ranges in NO_PROXY, and a cluster that injects these variables into its pods writes ranges.
/// </summary>
internal static class ProxyEnvironment
{
    private static readonly Dictionary<string, string> Schemes = new()
    {
        ["http"] = "http",
        ["https"] = "https",
        ["socks5"] = "socks5",
        ["socks5h"] = "socks5", // .NET leaves names to the proxy in any case
    };

    /// <summary>The proxy for a server; null: none.</summary>
    /// <param name="server">http or https.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    /// <exception cref="KubernetesConnectionException">A proxy is named, and its address makes no sense.</exception>
    public static IWebProxy? For(Uri server, Func<string, string?> variable)
    {
        var name = server.Scheme == Uri.UriSchemeHttps ? "HTTPS_PROXY" : "HTTP_PROXY";
        var host = server.IdnHost.Trim('[', ']');
        if (Either(variable, name) is not { } proxy
            || IsInCluster(host, server.Port, variable)
            || new NoProxy(Either(variable, "NO_PROXY")).Covers(host, server.Port))
            return null;
        var full = proxy.Contains("://", StringComparison.Ordinal) ? proxy : "http://" + proxy;
        if (!Uri.TryCreate(full, UriKind.Absolute, out var address) || address.Host.Length == 0)
            throw new KubernetesConnectionException($"{name}: '{proxy}' is not a proxy address");
        if (!Schemes.TryGetValue(address.Scheme, out var scheme))
            throw new KubernetesConnectionException(
                $"{name}: proxy scheme '{address.Scheme}' is not supported; use http, https or socks5");
        var user = address.UserInfo.Split(':', 2);
        return new WebProxy(new UriBuilder(scheme, address.IdnHost, address.Port > 0 ? address.Port : 1080).Uri)
        {
            Credentials = address.UserInfo.Length > 0
                ? new NetworkCredential(Uri.UnescapeDataString(user[0]), user.Length > 1 ? Uri.UnescapeDataString(user[1]) : "")
                : null,
        };
    }

    /// <summary>The Service "kubernetes" is served by this very agent; no proxy outside knows it.</summary>
    private static bool IsInCluster(string host, int port, Func<string, string?> variable) =>
        host == variable("KUBERNETES_SERVICE_HOST") && $"{port}" == variable("KUBERNETES_SERVICE_PORT");

    private static string? Either(Func<string, string?> variable, string name)
    {
        var value = variable(name);
        if (string.IsNullOrEmpty(value))
            value = variable(name.ToLowerInvariant());
        return string.IsNullOrEmpty(value) ? null : value;
    }
}
