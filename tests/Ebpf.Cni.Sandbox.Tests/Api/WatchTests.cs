using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

public sealed class WatchTests : ApiTest
{
    protected override ApiServerOptions Options => new() { BookmarkPeriod = TimeSpan.FromMilliseconds(50), HistoryCapacity = 20 };

    [Fact]
    public async Task A_watch_from_a_version_sees_each_later_change_once()
    {
        var made = Make("a");
        using var watch = await WatchAsync($"{ConfigMaps}?watch=true&resourceVersion={made.ResourceVersion}");
        Make("b");
        Change("a", "2");
        Server.Resources.Delete(ResourceTypes.ConfigMaps, "default", "b");
        Assert.Equal([("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")], await Take(watch, 3));
    }

    [Fact]
    public async Task A_watch_from_nowhere_begins_with_what_is_there()
    {
        Make("a");
        using var watch = await WatchAsync(ConfigMaps + "?watch=true&resourceVersion=0");
        Assert.Equal([("ADDED", "a")], await Take(watch, 1));
        Make("b");
        Assert.Equal([("ADDED", "b")], await Take(watch, 1));
    }

    [Fact]
    public async Task A_streaming_list_ends_its_initial_state_with_a_marked_bookmark()
    {
        Make("a");
        using var watch = await WatchAsync(ConfigMaps
            + "?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
        Assert.Equal([("ADDED", "a")], await Take(watch, 1));
        var (type, mark) = await watch.NextAsync();
        Assert.Equal("BOOKMARK", type);
        Assert.Equal("true", mark.Text("metadata", "annotations", "k8s.io/initial-events-end"));
    }

    [Fact]
    public async Task Bookmarks_carry_the_version_up_to_which_all_was_sent()
    {
        using var watch = await WatchAsync(ConfigMaps + "?watch=true&resourceVersion=0&allowWatchBookmarks=true");
        var made = Make("a");
        Assert.Equal([("ADDED", "a")], await Take(watch, 1));
        var (type, mark) = await watch.NextAsync();
        Assert.Equal("BOOKMARK", type);
        Assert.Equal(made.Json.Text("metadata", "resourceVersion"), mark.Text("metadata", "resourceVersion"));
        Assert.Equal("ConfigMap", mark.Text("kind"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_version_that_history_has_forgotten_is_answered_410(bool compact)
    {
        var old = Make("a").ResourceVersion;
        if (compact)
            Make("b");
        else
            MakeConfigMaps(30);
        if (compact)
            Server.Misbehaviour.CompactHistory();
        using var watch = await WatchAsync($"{ConfigMaps}?watch=true&resourceVersion={old}");
        var (type, status) = await watch.NextAsync();
        Assert.Equal("ERROR", type);
        Assert.Equal(410, status.Number("code"));
        Assert.Null(await watch.LineAsync());
    }

    [Fact]
    public async Task An_object_that_begins_or_ceases_to_match_is_added_or_deleted()
    {
        Make("a", "1");
        using var watch = await WatchAsync($"{ConfigMaps}?watch=true&resourceVersion={Server.Store.ResourceVersion}&labelSelector=v=2");
        Change("a", "2");
        Change("a", "3");
        Assert.Equal([("ADDED", "a"), ("DELETED", "a")], await Take(watch, 2));
    }

    [Fact]
    public async Task A_watch_ends_cleanly_at_its_timeout()
    {
        using var watch = await WatchAsync(ConfigMaps + "?watch=true&resourceVersion=0&timeoutSeconds=1");
        Assert.Null(await watch.LineAsync());
    }

    [Fact]
    public async Task A_stalled_watch_says_nothing_and_then_everything()
    {
        using var watch = await WatchAsync(ConfigMaps + "?watch=true&resourceVersion=0&allowWatchBookmarks=true");
        Assert.Equal("BOOKMARK", (await watch.NextAsync()).Type);
        Server.Misbehaviour.StallWatches();
        Make("a");
        var line = watch.NextAsync();
        // A watch on another connection proves that time has passed in which this one could have spoken; it stalls as well, so use the
        // list.
        Assert.Single((await GetAsync(ConfigMaps)).Json.Items("items"));
        Server.Misbehaviour.ResumeWatches();
        var next = await line;
        while (next.Type == "BOOKMARK")
            next = await watch.NextAsync();
        Assert.Equal(("ADDED", "a"), (next.Type, next.Object.Name()));
    }

    [Fact]
    public async Task Dropped_watches_break_off()
    {
        using var watch = await WatchAsync(ConfigMaps + "?watch=true&resourceVersion=0");
        Server.Misbehaviour.DropWatches();
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await watch.LineAsync() is not null)
            {
            }
        });
    }

    private static async Task<List<(string?, string)>> Take(WatchLines watch, int count)
    {
        var seen = new List<(string?, string)>();
        while (seen.Count < count)
        {
            var (type, obj) = await watch.NextAsync();
            if (type != "BOOKMARK")
                seen.Add((type, obj.Name()));
        }

        return seen;
    }

    private void Change(string name, string value) =>
        Server.Resources.Patch(ResourceTypes.ConfigMaps, "default", name, Sandbox.Api.Patching.PatchKind.Merge,
        (JsonNode)ConfigMap(name, value));
}
