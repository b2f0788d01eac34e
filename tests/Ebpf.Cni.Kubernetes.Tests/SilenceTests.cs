using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

public class SilenceTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_watch_that_is_silent_past_its_end_is_replaced()
    {
        await using var w = await Watched.StartAsync(r => r is { Watch: true, Number: 4 } ? new Fault.StallAfter(0) : null, time: _time);
        await w.Synced();
        await Checked(w);
        w.Api.Cluster.Put(Objects.Services, "unheard", Objects.Service("unheard"));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.All(w.Watcher.States, s => Assert.Equal(0, s.Errors)); // asked for at least five minutes and grace
        await Advancing(w.Converged());
        Assert.All(w.Watcher.States, s => Assert.Equal(1, s.Lists));
        Assert.Equal(1, w.State(Objects.Services).Errors);
    }

    [Fact]
    public async Task Where_bookmarks_come_three_minutes_of_silence_are_enough()
    {
        await using var w = await Watched.StartAsync(r => r is { Watch: true, Number: 2 } ? new Fault.StallAfter(1) : null, time: _time);
        await w.Synced();
        await Eventually.True(() => w.Api.OpenWatches == 3, "watches");
        w.Api.SendBookmarks();
        await Eventually.True(() => w.Watcher.States.All(s => s.Bookmarks == 1), "bookmarks");
        w.Api.Cluster.Put(Objects.Services, "unheard", Objects.Service("unheard"));
        _time.Advance(TimeSpan.FromMinutes(2.9));
        Assert.All(w.Watcher.States, s => Assert.Equal(0, s.Errors));
        _time.Advance(TimeSpan.FromMinutes(0.2));
        await Eventually.True(() => w.Api.Requests.Count(r => r.IsCheck) == 3, "the server is asked whether it knows the version");
        await w.Converged();
        // In a quiet cluster that is how things are: no failure, and no list.
        Assert.All(w.Watcher.States, s => Assert.Equal((0, 1, null), (s.Errors, s.Lists, s.LastError)));
    }

    [Fact]
    public async Task A_list_that_trickles_is_given_up()
    {
        await using var w = await Watched.StartAsync(
            r => r.Number == 1 ? new Fault.Trickle(TimeSpan.FromSeconds(5), _time) : null, time: _time);
        await Eventually.True(() => w.Api.Requests.Count == 3, "the lists");
        await Advancing(w.Converged());
    }

    [Fact]
    public async Task A_list_that_never_answers_is_given_up_and_asked_again()
    {
        await using var w = await Watched.StartAsync(r => r.Number == 1 ? new Fault.Hang() : null, time: _time);
        await Eventually.True(() => w.Api.Requests.Count == 3, "the lists");
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(3, w.Api.Requests.Count);
        await Advancing(w.Converged());
    }

    [Fact]
    public async Task Retry_after_is_honoured()
    {
        await using var w = await Watched.StartAsync(r => r.Number == 1 ? new Fault.Refuse(429, "20") : null, time: _time);
        await Eventually.True(() => w.Watcher.States.All(s => s.Errors == 1), "the refusals");
        _time.Advance(TimeSpan.FromSeconds(19));
        Assert.Equal(3, w.Api.Requests.Count);
        await Advancing(w.Converged());
        Assert.All(w.Watcher.States, s => Assert.Equal(1, s.Errors));
    }

    [Fact]
    public async Task Latency_is_counted_from_the_first_event_not_handed_out()
    {
        await using var w = await Watched.StartAsync(time: _time);
        await w.Synced();
        await w.Store.WaitForChangeAsync(CancellationToken.None);
        var start = _time.GetTimestamp();
        w.Api.Cluster.Put(Objects.Services, "one", Objects.Service("one"));
        await Eventually.True(() => w.Store.Current.Services.Count == 2, "the first event");
        _time.Advance(TimeSpan.FromSeconds(5));
        w.Api.Cluster.Put(Objects.Services, "two", Objects.Service("two"));
        await w.Converged();
        var change = await w.Store.WaitForChangeAsync(CancellationToken.None);
        Assert.Equal(start, change.Arrived);
        Assert.Equal(3, change.Cluster.Services.Count);
    }

    /// <summary>The first watches were silent for a while, the server knew their versions, and they were opened again.</summary>
    private async Task Checked(Watched w)
    {
        await Eventually.True(() => w.Watcher.States.All(s => s.Connected), "watches");
        await Eventually.True(
            () =>
            {
                if (w.Api.Requests.Count(r => r.IsCheck) < 3)
                    _time.Advance(TimeSpan.FromSeconds(1));
                return w.Api.Requests.Count(r => r is { Watch: true, Number: 4 }) == 3 && w.Watcher.States.All(s => s.Connected);
            },
            "checked");
    }

    /// <summary>Lets fake time pass, second by second, until something real has happened.</summary>
    private async Task Advancing(Task real)
    {
        await Eventually.True(
            () =>
            {
                if (!real.IsCompleted)
                    _time.Advance(TimeSpan.FromSeconds(2));
                return real.IsCompleted;
            },
            "it happened while time passed");
        await real;
    }
}
