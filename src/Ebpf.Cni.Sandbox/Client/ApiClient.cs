using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Client;

/// <summary>The API answered with a Status instead of the object.</summary>
public sealed class ApiStatusException(HttpStatusCode code, string message) : Exception($"{(int)code}: {message}")
{
    public HttpStatusCode Code { get; } = code;

    /// <summary>"NotFound", "AlreadyExists", "Conflict".</summary>
    public string Reason { get; init; } = "";
}

/// <summary>A small client of the Kubernetes API: JSON objects over HTTP, for the kubelets, the demo and tests.</summary>
public sealed class ApiClient : IDisposable
{
    private const string MergePatch = "application/merge-patch+json";
    private const string ApplyPatch = "application/apply-patch+yaml";
    private readonly HttpClient _http;

    public ApiClient(Uri address) =>
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 256 })
        {
            BaseAddress = address,
            Timeout = Timeout.InfiniteTimeSpan, // watches; others are cancelled by their callers
        };

    public Uri Address => _http.BaseAddress!;

    /// <param name="ns">Empty for kinds without a namespace.</param>
    public static string PathOf(ResourceType type, string ns = "", string? name = null, string? subresource = null)
    {
        ArgumentNullException.ThrowIfNull(type);
        var path = new StringBuilder(type.Group.Length == 0 ? "/api/" : "/apis/").Append(type.ApiVersion);
        if (type.Namespaced && ns.Length > 0)
            path.Append("/namespaces/").Append(ns);
        path.Append('/').Append(type.Plural);
        if (name is not null)
            path.Append('/').Append(name);
        if (subresource is not null)
            path.Append('/').Append(subresource);
        return path.ToString();
    }

    /// <exception cref="ApiStatusException">404 and whatever else the API says.</exception>
    public Task<JsonObject> GetAsync(ResourceType type, string ns, string name, CancellationToken ct = default) =>
        SendAsync(HttpMethod.Get, PathOf(type, ns, name), null, ct);

    /// <summary>Null if there is none.</summary>
    public async Task<JsonObject?> FindAsync(ResourceType type, string ns, string name, CancellationToken ct = default)
    {
        try
        {
            return await GetAsync(type, ns, name, ct);
        }
        catch (ApiStatusException e) when (e.Code == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <param name="ns">Empty for all.</param>
    public async Task<IReadOnlyList<JsonObject>> ListAsync(
        ResourceType type, string ns = "", string? labels = null, CancellationToken ct = default)
    {
        var list = await SendAsync(HttpMethod.Get, PathOf(type, ns) + Query(("labelSelector", labels)), null, ct);
        return [.. list.Items("items")];
    }

    public Task<JsonObject> CreateAsync(ResourceType type, string ns, JsonObject body, CancellationToken ct = default) =>
        SendAsync(HttpMethod.Post, PathOf(type, ns), JsonBody(body), ct);

    public Task<JsonObject> PatchAsync(ResourceType type, string ns, string name, JsonObject patch, string? subresource = null,
        CancellationToken ct = default) =>
        SendAsync(HttpMethod.Patch, PathOf(type, ns, name, subresource), JsonBody(patch, MergePatch), ct);

    /// <summary>Creates the object, or merges it into what is there.</summary>
    public Task<JsonObject> ApplyAsync(JsonObject manifest, CancellationToken ct = default)
    {
        var type = ResourceTypes.FindKind(manifest.Text("apiVersion") ?? "", manifest.Text("kind") ?? "")
            ?? throw new FormatException($"the sandbox has no kind {manifest.Text("kind")} in {manifest.Text("apiVersion")}");
        var ns = type.Namespaced ? manifest.Text("metadata", "namespace") ?? "default" : "";
        return SendAsync(HttpMethod.Patch, PathOf(type, ns, manifest.Name()) + "?fieldManager=sandbox&force=true",
            JsonBody(manifest, ApplyPatch), ct);
    }

    /// <summary>False if there was none. Pods end gracefully, unless <paramref name="graceSeconds"/> says otherwise.</summary>
    public async Task<bool> DeleteAsync(ResourceType type, string ns, string name, long? graceSeconds = null, string? uid = null,
        CancellationToken ct = default)
    {
        var options = new JsonObject { ["kind"] = "DeleteOptions", ["apiVersion"] = "v1" };
        if (graceSeconds is not null)
            options["gracePeriodSeconds"] = graceSeconds;
        if (uid is not null)
            options["preconditions"] = new JsonObject { ["uid"] = uid };
        try
        {
            await SendAsync(HttpMethod.Delete, PathOf(type, ns, name), JsonBody(options), ct);
            return true;
        }
        catch (ApiStatusException e) when (e.Code == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    public async Task<string> TextAsync(string path, CancellationToken ct = default)
    {
        using var response = await _http.GetAsync(new Uri(path, UriKind.Relative), ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        return response.IsSuccessStatusCode ? text : throw Failure(response.StatusCode, text);
    }

    public Task<JsonObject> PostAsync(string path, JsonObject? body = null, CancellationToken ct = default) =>
        SendAsync(HttpMethod.Post, path, JsonBody(body ?? []), ct);

    /// <summary>One list: the objects, and the version to watch from.</summary>
    internal async Task<(IReadOnlyList<JsonObject> Items, string Version)> ListForWatchAsync(
        string path, string query, CancellationToken ct)
    {
        var list = await SendAsync(HttpMethod.Get, path + query, null, ct);
        return ([.. list.Items("items")], list.Text("metadata", "resourceVersion") ?? "");
    }

    /// <summary>The events of one watch, until the server ends it.</summary>
    internal async IAsyncEnumerable<(string Type, JsonObject Object)> WatchAsync(
        string path, string query, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        using var response = await _http.GetAsync(new Uri(path + query, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, ct);
        if (!response.IsSuccessStatusCode)
            throw Failure(response.StatusCode, await response.Content.ReadAsStringAsync(ct));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            if (JsonNode.Parse(line) is JsonObject happened && happened["object"] is JsonObject body && happened.Text("type") is { } type)
                yield return (type, body);
        }
    }

    internal static string Query(params ReadOnlySpan<(string Name, string? Value)> parts)
    {
        var query = new StringBuilder();
        foreach (var (name, value) in parts)
            if (!string.IsNullOrEmpty(value))
                query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        return query.ToString();
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonObject> SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        using var response = await _http.SendAsync(request, ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        if (!response.IsSuccessStatusCode)
            throw Failure(response.StatusCode, text);
        return JsonNode.Parse(text) as JsonObject ?? throw new JsonException($"{method} {path} answered with something that is no object");
    }

    private static StringContent JsonBody(JsonObject body, string type = "application/json") =>
        new(body.ToJsonString(), Encoding.UTF8, new MediaTypeHeaderValue(type));

    private static ApiStatusException Failure(HttpStatusCode code, string text)
    {
        try
        {
            var status = JsonNode.Parse(text);
            return new ApiStatusException(code, status.Text("message") ?? text) { Reason = status.Text("reason") ?? "" };
        }
        catch (JsonException)
        {
            return new ApiStatusException(code, text);
        }
    }
}
