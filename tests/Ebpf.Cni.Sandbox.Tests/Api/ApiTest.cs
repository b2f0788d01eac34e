using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>An API server of its own for each test, and a client that sees the bytes.</summary>
public abstract class ApiTest : IAsyncLifetime
{
    protected const string ConfigMaps = "/api/v1/namespaces/default/configmaps";
    protected const string Services = "/api/v1/namespaces/default/services";
    private HttpClient _http = null!;

    protected ApiServer Server { get; private set; } = null!;

    protected HttpClient Http => _http;

    protected virtual ApiServerOptions Options => new();

    public virtual async ValueTask InitializeAsync()
    {
        Server = await ApiServer.StartAsync(Options);
        _http = new HttpClient { BaseAddress = Server.Address };
    }

    public virtual async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Sends a request and returns the status code and the JSON of the answer.</summary>
    protected async Task<(int Code, JsonNode? Json)> SendAsync(
        HttpMethod method, string path, string? body = null, string contentType = "application/json", string accept = "application/json")
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, MediaTypeHeaderValue.Parse(contentType));
        using var answer = await _http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text));
    }

    protected Task<(int Code, JsonNode? Json)> GetAsync(string path, string accept = "application/json") =>
        SendAsync(HttpMethod.Get, path, accept: accept);

    protected void MakeConfigMaps(int count)
    {
        for (var i = 0; i < count; i++)
            Make($"m{i:000}");
    }

    protected StoredObject Make(string name, string value = "1") =>
        Server.Resources.Create(ResourceTypes.ConfigMaps, "default", ConfigMap(name, value));

    protected static JsonObject ConfigMap(string name, string value) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["v"] = value } },
        ["data"] = new JsonObject { ["value"] = value },
    };

    /// <summary>Opens a watch; its lines are read one by one.</summary>
    protected async Task<WatchLines> WatchAsync(string path) => await WatchLines.OpenAsync(_http, path);
}

/// <summary>The lines of an open watch.</summary>
public sealed class WatchLines : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly HttpResponseMessage _answer;
    private readonly StreamReader _reader;

    private WatchLines(HttpResponseMessage answer, StreamReader reader)
    {
        _answer = answer;
        _reader = reader;
    }

    public static async Task<WatchLines> OpenAsync(HttpClient http, string path)
    {
        var answer = await http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        return new WatchLines(answer, new StreamReader(await answer.Content.ReadAsStreamAsync()));
    }

    /// <summary>The next line as it is; null at the end of the stream.</summary>
    public Task<string?> LineAsync() => _reader.ReadLineAsync().WaitAsync(Limit);

    public async Task<(string? Type, JsonNode? Object)> NextAsync()
    {
        var json = JsonNode.Parse(await LineAsync() ?? throw new EndOfStreamException("the watch ended"));
        return (json.Text("type"), json.At("object"));
    }

    public void Dispose()
    {
        _reader.Dispose();
        _answer.Dispose();
    }
}
