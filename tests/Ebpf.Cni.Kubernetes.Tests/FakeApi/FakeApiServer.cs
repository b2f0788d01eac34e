using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>An API server in the test's process, over real HTTP, that follows a <see cref="FakeCluster"/> and misbehaves as told.</summary>
public sealed class FakeApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, int> _counts = new();
    private readonly ConcurrentDictionary<string, (long Version, List<FakeObject> Left)> _tokens = new();
    private readonly ConcurrentDictionary<HttpContext, bool> _open = new();
    private readonly CancellationTokenSource _stop = new();
    private int _bookmarks;
    private int _watches;
    private bool _disposed;

    private FakeApiServer(WebApplication app) => _app = app;

    public FakeCluster Cluster { get; } = new();
    public ConcurrentQueue<FakeRequest> Requests { get; } = new();
    public ConcurrentQueue<string> PostedEvents { get; } = new();

    /// <summary>Which fault, if any, to answer a request with. Called once a request.</summary>
    public Func<FakeRequest, Fault?> Script { get; set; } = _ => null;

    public Uri Address => new(_app.Urls.Single());

    /// <summary>Resets every open watch.</summary>
    public void DropWatches()
    {
        foreach (var watch in _open.Keys)
            watch.Abort();
    }

    public int OpenWatches => Volatile.Read(ref _watches);

    public static async Task<FakeApiServer> StartAsync(Action<ListenOptions>? listen = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0, listen ?? (_ => { })));
        if (listen is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        var app = builder.Build();
        var server = new FakeApiServer(app);
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        return server;
    }

    /// <summary>Every open watch sends a bookmark with the current version.</summary>
    public void SendBookmarks()
    {
        Interlocked.Increment(ref _bookmarks);
        Cluster.Wake();
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _stop.CancelAsync();
        await _app.DisposeAsync();
        _stop.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.Trim('/');
        if (HttpMethods.IsPost(context.Request.Method))
        {
            await TakePostAsync(context, path);
            return;
        }

        var query = context.Request.Query;
        var request = new FakeRequest(
            path,
            _counts.AddOrUpdate(path, 1, (_, n) => n + 1),
            query["watch"] == "1",
            query["continue"],
            query["resourceVersion"],
            query.ContainsKey("limit") ? int.Parse(query["limit"]!, CultureInfo.InvariantCulture) : null,
            context.Request.Headers.Authorization,
            query["resourceVersionMatch"],
            query["labelSelector"]);
        Requests.Enqueue(request);
        var fault = Script(request);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stop.Token);
        try
        {
            await AnswerAsync(context, request, fault, end.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            context.Abort();
        }
    }

    private async Task AnswerAsync(HttpContext context, FakeRequest request, Fault? fault, CancellationToken ct)
    {
        switch (fault)
        {
            case Fault.Refuse refusal:
                await RefuseAsync(context, refusal.Code, refusal.RetryAfter, refusal.Message);
                break;
            case Fault.Reset:
                context.Abort();
                break;
            case Fault.Trickle trickle:
                await context.Response.WriteAsync("{", ct);
                while (true)
                {
                    await context.Response.Body.FlushAsync(ct);
                    await Task.Delay(trickle.Pause, trickle.Time, ct);
                    await context.Response.WriteAsync(" ", ct);
                }

            case Fault.HangUp:
                context.Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();
                break;
            case Fault.Hang:
                await Task.Delay(Timeout.Infinite, ct);
                break;
            case Fault.Say said:
                await context.Response.WriteAsync(said.Text, ct);
                break;
            default:
                await (request.Watch ? WatchAsync(context, request, fault, ct) : ListAsync(context, request, fault, ct));
                break;
        }
    }

    private async Task TakePostAsync(HttpContext context, string path)
    {
        var fault = Script(new FakeRequest(path, _counts.AddOrUpdate(path, 1, (_, n) => n + 1), false, null, null, null, null));
        if (fault is Fault.Refuse refusal)
        {
            await RefuseAsync(context, refusal.Code, refusal.RetryAfter, refusal.Message);
            return;
        }

        using var reader = new StreamReader(context.Request.Body);
        PostedEvents.Enqueue($"{path} {await reader.ReadToEndAsync()}");
        context.Response.StatusCode = 201;
        await context.Response.WriteAsync("{}");
    }

    private static async Task RefuseAsync(HttpContext context, int code, string? retryAfter = null, string message = "no such version")
    {
        context.Response.StatusCode = code;
        if (retryAfter is not null)
            context.Response.Headers.RetryAfter = retryAfter;
        await context.Response.WriteAsync(
            $$"""{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{{message}}","code":{{code}}}""");
    }

    private async Task ListAsync(HttpContext context, FakeRequest request, Fault? fault, CancellationToken ct)
    {
        long version;
        List<FakeObject> rest;
        if (request.Continue is null)
        {
            (version, rest) = Cluster.List(request.Path, request.Selector);
            var floor = 0L;
            if (request.Version is not null && !long.TryParse(request.Version, CultureInfo.InvariantCulture, out floor))
            {
                await RefuseAsync(context, 400);
                return;
            }

            if (floor > version)
            {
                await RefuseAsync(context, 504, message: $"Too large resource version: {floor}, current: {version}");
                return;
            }
        }
        else if (_tokens.TryGetValue(request.Continue, out var kept) && kept.Version > Cluster.Compacted)
        {
            (version, rest) = kept;
        }
        else
        {
            await RefuseAsync(context, 410);
            return;
        }

        var page = rest.Take(request.Limit ?? int.MaxValue).ToList();
        var token = "";
        if (page.Count < rest.Count)
        {
            token = $"{request.Path}@{version}:{page[^1].Name}/{rest.Count}?&=";
            _tokens[token] = (version, rest[page.Count..]);
        }

        var kind = Objects.KindOf(request.Path);
        var body = $$"""{"kind":"{{kind}}List","apiVersion":"v1","metadata":{"resourceVersion":"{{version}}","continue":"{{token}}"},"items":[{{string.Join(',', page.Select(p => p.Json))}}]}""";
        context.Response.ContentType = "application/json";
        var bytes = Encoding.UTF8.GetBytes(body);
        if (fault is Fault.CutList cut)
        {
            context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes.AsMemory(0, Math.Min(cut.Bytes, bytes.Length - 1)), ct);
            await context.Response.Body.FlushAsync(ct);
            context.Abort();
            return;
        }

        await FakeWatch.WriteAsync(context, bytes, fault as Fault.Chop, ct);
    }

    private async Task WatchAsync(HttpContext context, FakeRequest request, Fault? fault, CancellationToken ct)
    {
        if (!long.TryParse(request.Version, CultureInfo.InvariantCulture, out var from))
        {
            await RefuseAsync(context, 400);
            return;
        }

        if (from < Cluster.Compacted)
        {
            await RefuseAsync(context, 410);
            return;
        }

        Interlocked.Increment(ref _watches);
        _open[context] = true;
        try
        {
            await new FakeWatch(Cluster, request.Path, request.Selector, from, fault, () => Volatile.Read(ref _bookmarks))
                .RunAsync(context, ct);
        }
        finally
        {
            _open.TryRemove(context, out _);
            Interlocked.Decrement(ref _watches);
        }
    }
}
