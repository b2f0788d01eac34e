using System.Text.Json;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

public sealed class IssueEventsTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, 600, TimeSpan.Zero));
    private readonly CancellationTokenSource _stop = new();
    private FakeApiServer _api = null!;
    private KubernetesConnection _connection = null!;
    private IssueEvents _events = null!;
    private Task _running = null!;

    public async ValueTask InitializeAsync()
    {
        _api = await FakeApiServer.StartAsync();
        _connection = KubernetesConnection.Anonymous(_api.Address);
        _events = new IssueEvents(_connection, "node-1", NullLogger<IssueEvents>.Instance, _time);
        _running = _events.RunAsync(_stop.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _connection.Dispose();
        await _api.DisposeAsync();
        _stop.Dispose();
    }

    [Fact]
    public async Task An_issue_becomes_one_event_on_its_object()
    {
        var issue = new CompileIssue("EndpointSlice", new ObjectName("shop", "cart-1"), "77aa", "BadAddress",
            "address 'x' is no IPv4 address");
        _events.Report([issue, issue]);
        _events.Report([issue]);
        await Eventually.True(() => _events.Posted == 1, "the event");
        var posted = Assert.Single(_api.PostedEvents);
        Assert.StartsWith("api/v1/namespaces/shop/events ", posted, StringComparison.Ordinal);
        var e = JsonDocument.Parse(posted[posted.IndexOf('{', StringComparison.Ordinal)..]).RootElement;
        Assert.Equal("Event", e.GetProperty("kind").GetString());
        Assert.Equal("discovery.k8s.io/v1", e.GetProperty("involvedObject").GetProperty("apiVersion").GetString());
        Assert.Equal("cart-1", e.GetProperty("involvedObject").GetProperty("name").GetString());
        Assert.Equal("77aa", e.GetProperty("involvedObject").GetProperty("uid").GetString());
        Assert.Equal(("BadAddress", "Warning"), (e.GetProperty("reason").GetString(), e.GetProperty("type").GetString()));
        Assert.Equal("node-1", e.GetProperty("source").GetProperty("host").GetString());
        Assert.Equal("ebpf-cni", e.GetProperty("reportingComponent").GetString());
        Assert.StartsWith("2030-01-02T03:04:05", e.GetProperty("firstTimestamp").GetString(), StringComparison.Ordinal);
        Assert.False(e.TryGetProperty("eventTime", out _));

        // while it lasts it is told again when the first event has expired
        _time.Advance(TimeSpan.FromMinutes(61));
        _events.Report([issue]);
        await Eventually.True(() => _events.Posted == 2, "the event again");
    }

    [Fact]
    public async Task Cluster_scoped_objects_are_told_in_default_and_long_messages_are_cut()
    {
        _events.Report([new CompileIssue("Node", new ObjectName("", new string('n', 250)), "", "NoPodCidr", new string('ä', 2000))]);
        await Eventually.True(() => _events.Posted == 1, "the event");
        var posted = Assert.Single(_api.PostedEvents);
        Assert.StartsWith("api/v1/namespaces/default/events ", posted, StringComparison.Ordinal);
        var e = JsonDocument.Parse(posted[posted.IndexOf('{', StringComparison.Ordinal)..]).RootElement;
        Assert.True(System.Text.Encoding.UTF8.GetByteCount(e.GetProperty("message").GetString()!) <= 1024);
        Assert.True(e.GetProperty("metadata").GetProperty("name").GetString()!.Length <= 253);
        Assert.False(e.GetProperty("involvedObject").TryGetProperty("uid", out _));
    }

    [Fact]
    public async Task A_flood_is_cut_to_the_rate()
    {
        _events.Report(Enumerable.Range(0, 100).Select(Issue));
        await Eventually.True(() => _events.Posted == 25, "the burst");
        Assert.Equal(75, _events.Dropped);
        _time.Advance(TimeSpan.FromSeconds(10));
        _events.Report(Enumerable.Range(100, 10).Select(Issue));
        await Eventually.True(() => _events.Posted == 27, "two more");
    }

    [Theory]
    [InlineData(403)]
    [InlineData(500)]
    public async Task What_the_api_refuses_is_counted_and_the_next_still_goes(int code)
    {
        _api.Script = r => r.Number == 1 ? new Fault.Refuse(code) : null;
        _events.Report([Issue(1), Issue(2)]);
        await Eventually.True(() => _events.Posted == 1, "the second");
        Assert.Equal(1, _events.Dropped);
    }

    [Fact]
    public async Task With_the_api_gone_events_are_dropped()
    {
        await _api.DisposeAsync();
        _events.Report([Issue(1), Issue(2)]);
        await Eventually.True(() => _events.Dropped == 2, "both dropped");
        Assert.False(_running.IsCompleted);
    }

    private static CompileIssue Issue(int i) => new("Service", new ObjectName("n", $"s{i}"), $"u{i}", "Bad", "bad");
}
