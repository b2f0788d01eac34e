using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Ebpf.Cni.Sandbox.Api.Tables;
using Ebpf.Cni.Sandbox.Store;
using Microsoft.AspNetCore.Http.Features;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>How one watch wants its events.</summary>
internal sealed record WatchParameters(
    ResourceType Type,
    Func<StoredObject, bool> Filter,
    string? ResourceVersion,
    bool Bookmarks,
    bool SendInitialEvents,
    TimeSpan Timeout,
    TableDefinition? Table,
    string? IncludeObject);

/// <summary>
/// One watch: initial state where asked for, then one JSON line a change, bookmarks in between, until the timeout or until the client goes.
/// An object that begins or ceases to match the selectors appears as added or deleted, as in the real API.
/// </summary>
internal sealed class WatchStream(ObjectStore store, Misbehaviour misbehaviour, TimeProvider time, TimeSpan bookmarkPeriod)
{
    private static readonly byte[] LineEnd = "}\n"u8.ToArray();

    public async Task RunAsync(HttpContext context, WatchParameters parameters, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(parameters.Timeout, time);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, timeout.Token, stopping);
        misbehaviour.Opened(context);
        try
        {
            context.Response.ContentType = "application/json";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            await context.Response.StartAsync(ends.Token);
            // The headers go out now: a client waits for them before it believes that it watches.
            await context.Response.Body.FlushAsync(ends.Token);
            await StreamAsync(context.Response, parameters, ends.Token);
        }
        catch (OperationCanceledException)
        {
            // The client left, the watch reached its timeout, or the server stops: a watch ends without a word.
        }
        finally
        {
            misbehaviour.Closed(context);
        }
    }

    private async Task StreamAsync(HttpResponse response, WatchParameters parameters, CancellationToken cancel)
    {
        var writer = new EventWriter(response, parameters);
        StoreWatch watch;
        long version;
        try
        {
            (watch, version) = await StartAsync(writer, parameters, cancel);
        }
        catch (ApiException e)
        {
            await writer.WriteAsync("ERROR", e.ToStatus(), cancel);
            return;
        }

        using (watch)
        using (var bookmarks = new PeriodicTimer(bookmarkPeriod, time))
        {
            var nextBookmark = parameters.Bookmarks
                ? bookmarks.WaitForNextTickAsync(cancel).AsTask()
                : Task.Delay(Timeout.Infinite, cancel);
            while (true)
            {
                var changed = watch.Changes.WaitToReadAsync(cancel).AsTask();
                await Task.WhenAny(changed, nextBookmark);
                await misbehaviour.WhileStalledAsync(cancel);
                version = await DrainAsync(watch.Changes, writer, parameters, version, cancel);
                if (changed.IsCompleted && !await changed)
                    return;
                if (nextBookmark.IsCompleted)
                {
                    await nextBookmark;
                    await writer.BookmarkAsync(version, false, cancel);
                    nextBookmark = bookmarks.WaitForNextTickAsync(cancel).AsTask();
                }

                await changed;
            }
        }
    }

    private async Task<(StoreWatch Watch, long Version)> StartAsync(
        EventWriter writer, WatchParameters parameters, CancellationToken cancel)
    {
        if (!parameters.SendInitialEvents
            && long.TryParse(parameters.ResourceVersion, CultureInfo.InvariantCulture, out var from) && from > 0)
            return (store.Watch(parameters.Type, from), from);
        var (present, version, watch) = store.ListAndWatch(parameters.Type);
        foreach (var item in present.Where(parameters.Filter))
            await writer.WriteAsync("ADDED", item, cancel);
        if (parameters is { SendInitialEvents: true, Bookmarks: true })
            await writer.BookmarkAsync(version, true, cancel);
        return (watch, version);
    }

    private static async Task<long> DrainAsync(
        ChannelReader<StoreEvent> changes, EventWriter writer, WatchParameters parameters, long version, CancellationToken cancel)
    {
        while (changes.TryRead(out var change))
        {
            version = change.ResourceVersion;
            var matched = change.Previous is not null && parameters.Filter(change.Previous);
            var matches = change.Kind != StoreEventKind.Deleted && parameters.Filter(change.Object);
            if (matches)
                await writer.WriteAsync(matched ? "MODIFIED" : "ADDED", change.Object, cancel);
            else if (matched)
                await writer.WriteAsync("DELETED", change.Object, cancel);
        }

        return version;
    }

    private sealed class EventWriter(HttpResponse response, WatchParameters parameters)
    {
        private bool _columnsSent;

        public async Task WriteAsync(string type, StoredObject obj, CancellationToken cancel)
        {
            if (parameters.Table is { } table)
            {
                await WriteAsync(type, table.Render([obj.Json], null, parameters.IncludeObject, !_columnsSent), cancel);
                _columnsSent = true;
                return;
            }

            await LineAsync(type, obj.Encoded, cancel);
        }

        public Task WriteAsync(string type, JsonObject body, CancellationToken cancel) =>
            LineAsync(type, Encoding.UTF8.GetBytes(body.ToJsonString()), cancel);

        public Task BookmarkAsync(long version, bool initialEnd, CancellationToken cancel)
        {
            var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture),
                ["creationTimestamp"] = null };
            if (initialEnd)
                metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            var type = parameters.Type;
            var body = new JsonObject { ["kind"] = type.Kind, ["apiVersion"] = type.ApiVersion, ["metadata"] = metadata };
            return WriteAsync("BOOKMARK", body, cancel);
        }

        private async Task LineAsync(string type, ReadOnlyMemory<byte> body, CancellationToken cancel)
        {
            await response.Body.WriteAsync(Encoding.UTF8.GetBytes($"{{\"type\":\"{type}\",\"object\":"), cancel);
            await response.Body.WriteAsync(body, cancel);
            await response.Body.WriteAsync(LineEnd, cancel);
            await response.Body.FlushAsync(cancel);
        }
    }
}
