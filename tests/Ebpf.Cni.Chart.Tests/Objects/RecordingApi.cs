using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>What a request needs of a role.</summary>
internal sealed record Access(string Group, string Resource, string Verb);

/// <summary>An API server that has nothing, and writes down what it is asked for in the words of RBAC.</summary>
internal sealed class RecordingApi : IAsyncDisposable
{
    /// <summary>Kinds of lists, which the agent looks at.</summary>
    private static readonly Dictionary<string, string> Kinds = new()
        { ["services"] = "Service", ["endpointslices"] = "EndpointSlice", ["nodes"] = "Node" };

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<Access, bool> _asked = new();

    private RecordingApi()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public Uri Address => new(_app.Urls.First());

    public IReadOnlyList<Access> Asked => [.. _asked.Keys.OrderBy(a => a.ToString(), StringComparer.Ordinal)];

    public static async Task<RecordingApi> StartAsync()
    {
        var api = new RecordingApi();
        await api._app.StartAsync();
        return api;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>As the API server's own request info resolver does (k8s.io/apiserver/pkg/endpoints/request).</summary>
    internal static Access Read(string method, string path, bool watch)
    {
        var parts = path.Trim('/').Split('/');
        var group = parts[0] == "apis" ? parts[1] : "";
        var rest = parts.AsSpan(parts[0] == "apis" ? 3 : 2);
        if (rest is ["namespaces", _, _, ..])
            rest = rest[2..];
        var named = rest.Length > 1;
        var verb = (method, named) switch
        {
            ("GET", _) when watch => "watch",
            ("GET", true) => "get",
            ("GET", false) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "delete",
            _ => "deletecollection",
        };
        return new Access(group, rest.Length > 2 ? $"{rest[0]}/{rest[2]}" : rest[0], verb);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var watch = context.Request.Query["watch"].ToString() is "1" or "true";
        var access = Read(context.Request.Method, context.Request.Path, watch);
        _asked.TryAdd(access, true);
        context.Response.ContentType = "application/json";
        if (watch)
        {
            await context.Response.StartAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        context.Response.StatusCode = context.Request.Method == "POST" ? StatusCodes.Status201Created : StatusCodes.Status200OK;
        var kind = Kinds.GetValueOrDefault(access.Resource);
        await context.Response.WriteAsync($$"""{"kind":"{{kind}}List","metadata":{"resourceVersion":"1"},"items":[]}""", context.RequestAborted);
    }
}
