using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

public class WatchTests
{
    private static readonly ObjectName Web = new("default", "web");

    [Fact]
    public async Task Follows_additions_changes_and_deletions()
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        Assert.Equal(["10.96.0.1"], w.Store.Current.Services[Web].ClusterIPs);

        w.Api.Cluster.Put(Objects.Services, "web", Objects.Service("web", port: 81));
        w.Api.Cluster.Put(Objects.Services, "other", Objects.Service("other", "10.96.0.2"));
        w.Api.Cluster.Delete(Objects.Slices, "web-1");
        await w.Converged();
        Assert.Equal(81, w.Store.Current.Services[Web].Ports[0].Port);
        Assert.Empty(w.Store.Current.EndpointSlices);
        Assert.Equal(1, w.State(Objects.Services).Lists);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task Reads_lists_and_events_whatever_the_chunks(int bytes)
    {
        await using var w = await Watched.StartAsync(_ => new Fault.Chop(bytes));
        await w.Synced();
        w.Api.Cluster.Put(Objects.Services, "ümlaut", Objects.Service("ümlaut"));
        w.Api.Cluster.Put(Objects.Nodes, "node-2", Objects.Node("node-2", 2));
        await w.Converged();
        Assert.All(w.Watcher.States, s => Assert.Equal(0, s.Errors));
    }

    [Fact]
    public async Task A_giant_object_arrives_whole()
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        var addresses = Enumerable.Range(0, 40_000).Select(i => $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}").ToArray();
        w.Api.Cluster.Put(Objects.Slices, "giant", Objects.Slice("giant", "web", addresses));
        await w.Converged();
        Assert.Equal(40_000, w.Store.Current.EndpointSlices[new("default", "giant")].Endpoints.Length);
    }

    [Fact]
    public async Task A_watch_that_ends_resumes_from_its_last_version_without_a_list()
    {
        await using var w = await Watched.StartAsync(
            r => r.Watch && r.Path == Objects.Services && r.Number < 6 ? new Fault.EndAfter(1) : null);
        await w.Synced();
        for (var i = 0; i < 8; i++)
            w.Api.Cluster.Put(Objects.Services, $"s{i}", Objects.Service($"s{i}"));
        await w.Converged();
        Assert.Equal(1, w.State(Objects.Services).Lists);
        Assert.Equal(8, w.State(Objects.Services).Events);
    }

    [Theory]
    [InlineData(410, "Expired")]
    [InlineData(0, "Gone")]
    public async Task An_expired_watch_lists_again(int code, string reason)
    {
        await using var w = await Watched.StartAsync(
            r => r.Watch && r.Path == Objects.Services && r.Number == 2 ? new Fault.ErrorAfter(0, code, reason) : null);
        await w.Synced();
        await Eventually.True(() => w.State(Objects.Services).Lists == 2, "a second list");
        await w.Converged();
    }

    [Fact]
    public async Task A_refused_watch_version_lists_again_and_sees_what_vanished()
    {
        await using var w = await Watched.StartAsync(
            r => r.Watch && r.Path == Objects.Services && r.Number == 2 ? new Fault.Hang() : null, options: Watched.Quick with
        {
            ResponseSilence = TimeSpan.FromMilliseconds(300),
        });
        await w.Synced();
        w.Api.Cluster.Delete(Objects.Services, "web");
        w.Api.Cluster.Put(Objects.Services, "later", Objects.Service("later"));
        w.Api.Cluster.Compact();
        await w.Converged();
        Assert.Equal(2, w.State(Objects.Services).Lists);
    }

    [Fact]
    public async Task Other_error_events_resume_and_after_three_in_a_row_list()
    {
        await using var w = await Watched.StartAsync(
            r => r.Watch && r.Path == Objects.Services && r.Number < 8 ? new Fault.ErrorAfter(0, 400, "BadRequest") : null);
        await w.Synced();
        await Eventually.True(() => w.State(Objects.Services) is { Connected: true, Lists: >= 2 }, "watching again");
        Assert.True(w.State(Objects.Services).Errors >= 4);
        await w.Converged();
    }

    [Theory]
    [InlineData("<html>502 Bad Gateway</html>")]
    [InlineData("{\"type\":\"ADDED\"}")]
    [InlineData("{\"type\":\"NONSENSE\",\"object\":{}}")]
    [InlineData("{\"type\":17,\"object\":{}}")]
    [InlineData("[1,2]")]
    [InlineData("{\"type\":\"BOOKMARK\",\"object\":{}}")]
    [InlineData("{\"type\":\"ADDED\",\"object\":{}} trailing")]
    [InlineData("{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"resourceVersion\":\"1\"}}}")]
    [InlineData("{\"type\":\"DELETED\",\"object\":{\"metadata\":17}}")]
    public async Task Nonsense_in_a_watch_deletes_nothing_and_is_got_over(string line)
    {
        await using var w = await Watched.StartAsync(r => r.Watch && r.Number < 4 ? new Fault.GarbageAfter(0, line) : null);
        await w.Synced();
        await Eventually.True(
            () =>
            {
                Assert.Null(Difference.Between(w.Api.Cluster, w.Store.Current));
                return w.Watcher.States.All(s => s.Connected) && w.State(Objects.Services).Errors > 0;
            },
            "watching again");
        w.Api.Cluster.Put(Objects.Services, "after", Objects.Service("after"));
        await w.Converged();
    }

    [Fact]
    public async Task A_connection_that_breaks_inside_an_event_gets_it_again()
    {
        await using var w = await Watched.StartAsync(r => r.Watch && r.Number % 2 == 0 ? new Fault.BreakAfter(1) : null);
        await w.Synced();
        for (var i = 0; i < 10; i++)
            w.Api.Cluster.Put(Objects.Services, $"s{i}", Objects.Service($"s{i}"));
        await w.Converged();
        Assert.Equal(1, w.State(Objects.Services).Lists);
    }

    [Fact]
    public async Task Duplicates_change_nothing()
    {
        await using var w = await Watched.StartAsync(r => r.Watch ? new Fault.Twice() : null);
        await w.Synced();
        w.Api.Cluster.Put(Objects.Services, "a", Objects.Service("a"));
        await w.Converged();
        var instance = w.Store.Current.Services[new("default", "a")];
        w.Api.Cluster.Delete(Objects.Services, "web");
        w.Api.Cluster.Put(Objects.Nodes, "node-9", Objects.Node("node-9", 9));
        await w.Converged();
        Assert.Same(instance, w.Store.Current.Services[new("default", "a")]);
    }

    [Fact]
    public async Task An_event_from_the_past_is_not_applied_and_leads_to_a_list()
    {
        await using var w = await Watched.StartAsync(
            r => r.Watch && r is { Path: Objects.Services, Number: 2 } ? new Fault.Replay() : null);
        await w.Synced();
        w.Api.Cluster.Put(Objects.Services, "gone", Objects.Service("gone"));
        w.Api.Cluster.Delete(Objects.Services, "gone"); // followed by the ADDED from before
        await Eventually.True(() => w.State(Objects.Services).StaleEvents == 1, "the stale event");
        Assert.False(w.Store.Current.Services.ContainsKey(new("default", "gone")));
        await Eventually.True(() => w.State(Objects.Services).Lists == 2, "a second list");
        await w.Converged();
    }

    [Fact]
    public async Task Bookmarks_advance_the_version_so_that_a_compaction_costs_no_list()
    {
        await using var w = await Watched.StartAsync(
            r => r is { Watch: true, Path: Objects.Services, Number: 2 } ? new Fault.EndAfter(1) : null);
        await w.Synced();
        await Eventually.True(() => w.Api.OpenWatches == 3, "all watches");
        for (var i = 0; i < 5; i++)
            w.Api.Cluster.Put("api/v1/pods", $"p{i}", "{}");
        w.Api.SendBookmarks();
        await Eventually.True(() => w.Watcher.States.All(s => s.Bookmarks == 1), "bookmarks");
        w.Api.Cluster.Compact(elsewhere: false);
        await Eventually.True(() => w.Api.OpenWatches == 3, "all watches again");
        w.Api.Cluster.Put(Objects.Services, "after", Objects.Service("after"));
        await w.Converged();
        Assert.All(w.Watcher.States, s => Assert.Equal(1, s.Lists));
    }

    [Fact]
    public async Task A_service_that_another_proxy_serves_never_comes_and_one_that_becomes_so_goes()
    {
        const string other = "\"service.kubernetes.io/service-proxy-name\":\"x\"";
        await using var w = await Watched.StartAsync(seed: c =>
        {
            Objects.Seed(c);
            c.Put(Objects.Services, "theirs", Objects.Service("theirs", labels: other));
            c.Put(Objects.Services, "headless", Objects.Service("headless", labels: "\"service.kubernetes.io/headless\":\"\""));
        });
        await w.Synced();
        Assert.Equal([Web], w.Store.Current.Services.Keys);

        w.Api.Cluster.Put(Objects.Services, "web", Objects.Service("web", labels: other));
        w.Api.Cluster.Put(Objects.Services, "theirs", Objects.Service("theirs"));
        await w.Converged();
        Assert.Equal(["theirs"], w.Store.Current.Services.Keys.Select(n => n.Name));
        Assert.All(w.Api.Requests.Where(r => r.Path != Objects.Nodes), r => Assert.Equal(
            "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name", r.Selector));
        Assert.All(w.Api.Requests.Where(r => r.Path == Objects.Nodes), r => Assert.Null(r.Selector));
    }

    [Theory]
    [InlineData("refused")]
    [InlineData("event")]
    [InlineData("silent")]
    public async Task A_version_that_the_server_has_yet_to_reach_leads_to_a_list(string answer)
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        var restore = w.Api.Cluster.Backup();
        for (var i = 0; i < 9; i++)
            w.Api.Cluster.Put(Objects.Services, $"lost{i}", Objects.Service($"lost{i}"));
        await w.Converged();
        var future = w.Api.Cluster.Version;

        w.Api.Script = r => r is { Watch: true, Path: Objects.Services } && r.Version == $"{future}"
            ? answer switch
            {
                "refused" => new Fault.Refuse(504, Message: $"Too large resource version: {future}, current: 101"),
                "event" => new Fault.ErrorAfter(0, 504, "Timeout") { Message = $"Too large resource version: {future}, current: 101" },
                _ => null, // as real servers do
            }
            : null;
        restore();
        w.Api.Cluster.Put(Objects.Services, "after", Objects.Service("after"));
        w.Api.DropWatches();
        await w.Converged();
        Assert.DoesNotContain(w.Store.Current.Services.Keys, n => n.Name.StartsWith("lost", StringComparison.Ordinal));
        // A present list without a version, not one that the server would refuse for the same reason.
        Assert.Null(w.Api.Requests.Last(r => r is { Path: Objects.Services, IsList: true }).Version);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(500)]
    public async Task Watches_that_end_at_once_or_fail_while_lists_work_lead_to_a_list(int code)
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        w.Api.Script = r => r is { Watch: true, Path: Objects.Services }
            ? code == 0 ? new Fault.EndAfter(0) : new Fault.Refuse(code)
            : null;
        w.Api.DropWatches();
        await Eventually.True(() => w.State(Objects.Services).Errors > 0, "the first short watch");
        w.Api.Cluster.Put(Objects.Services, "after", Objects.Service("after"));
        await w.Converged();
        Assert.True(w.State(Objects.Services).Lists > 1);
    }

    [Fact]
    public async Task A_server_that_fails_as_a_whole_is_not_asked_for_lists_afterwards()
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        w.Api.Script = _ => new Fault.Refuse(503);
        w.Api.DropWatches();
        await Eventually.True(() => w.Watcher.States.All(s => s.Errors > 8), "trouble");
        w.Api.Cluster.Put(Objects.Services, "after", Objects.Service("after"));
        w.Api.Script = _ => null;
        await w.Converged();
        Assert.All(w.Watcher.States, s => Assert.Equal(1, s.Lists));
    }

    [Theory]
    [InlineData("ADDED")]
    [InlineData("DELETED")]
    public async Task An_object_of_another_kind_is_not_taken_for_ours(string type)
    {
        await using var w = await Watched.StartAsync(r => r is { Watch: true, Path: Objects.Services, Number: 2 }
            ? new Fault.GarbageAfter(
                0,
                $$$"""{"type":"{{{type}}}","object":"""
                + """{"kind":"Pod","metadata":{"name":"web","namespace":"default","resourceVersion":"999"},"spec":{} } }""")
            : null);
        await w.Synced();
        var web = w.Store.Current.Services[Web];
        await Eventually.True(() => w.State(Objects.Services).Lists == 2, "a second list");
        Assert.Same(web, w.Store.Current.Services[Web]);
    }

    [Fact]
    public async Task A_nodes_heartbeats_cause_no_snapshot_and_no_change()
    {
        await using var w = await Watched.StartAsync();
        await w.Synced();
        await w.Store.WaitForChangeAsync(CancellationToken.None);
        var before = w.Store.Current;
        using var stop = new CancellationTokenSource();
        var change = w.Store.WaitForChangeAsync(stop.Token).AsTask();
        var node = Objects.Node("node-1", 1);
        for (var i = 0; i < 20; i++)
            w.Api.Cluster.Put(Objects.Nodes, "node-1", node.Replace("\"sizeBytes\":1", $"\"sizeBytes\":{i}", StringComparison.Ordinal));
        await Eventually.True(() => w.State(Objects.Nodes).Events == 20, "the heartbeats");
        Assert.Same(before, w.Store.Current);
        Assert.False(change.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => change);
    }

    [Fact]
    public async Task Losing_the_api_changes_nothing_and_its_return_brings_what_was_missed()
    {
        var lost = false;
        await using var w = await Watched.StartAsync(
            r => Volatile.Read(ref lost) ? new Fault.Reset() : r.Watch ? new Fault.EndAfter(1) : null);
        await w.Synced();
        await Eventually.True(() => w.Api.OpenWatches == 3, "all watches");
        var before = w.Store.Current;
        Volatile.Write(ref lost, true);
        w.Api.SendBookmarks(); // with which the watches end
        await Eventually.True(
            () => w.Api.OpenWatches == 0 && w.Watcher.States.All(s => s is { Connected: false, Errors: > 5 }),
            "the API is lost, in all kinds");
        w.Api.Cluster.Put(Objects.Services, "missed", Objects.Service("missed"));
        w.Api.Cluster.Compact();
        var errors = w.Watcher.States.Min(s => s.Errors);
        await Eventually.True(() => w.Watcher.States.All(s => s.Errors > errors + 5), "it stays lost");
        Assert.Same(before, w.Store.Current);
        Assert.False(w.Running.IsCompleted);
        Volatile.Write(ref lost, false);
        await w.Converged();
        Assert.Equal(before.Services.Count + 1, w.Store.Current.Services.Count);
    }
}
