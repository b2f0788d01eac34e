using Ebpf.Cni.Agent.Health;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Sync.State;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Agent.Tests.Health;

/// <summary>What /livez and /healthz answer, by the state of the sync loop.</summary>
public class HttpEndpointsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly FakeTimeProvider _time = new();
    private readonly AgentOptions _options = new();
    private readonly SyncStatus _status;
    private readonly HttpEndpoints _endpoints;

    public HttpEndpointsTests()
    {
        _status = new SyncStatus(_time, Patience);
        _endpoints = new HttpEndpoints(
            Prometheus.Metrics.NewCustomRegistry(), _status, new ConntrackEndpoint(null!, null!, new AppliedState()), _options, _time);
    }

    [Fact]
    public async Task A_pass_that_hangs_fails_both_after_the_limit_until_it_ends()
    {
        _status.PassBegins();
        _time.Advance(Patience);
        Assert.Equal((200, 200), (await GetAsync("/livez"), await GetAsync("/healthz")));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((503, 503), (await GetAsync("/livez"), await GetAsync("/healthz")));
        _status.PassEnds();
        Assert.Equal((200, 200), (await GetAsync("/livez"), await GetAsync("/healthz")));
    }

    [Fact]
    public async Task A_change_that_waits_for_too_long_fails_both()
    {
        _status.Queued(_time.GetTimestamp());
        _time.Advance(Patience + TimeSpan.FromSeconds(1));
        Assert.Equal((503, 503), (await GetAsync("/livez"), await GetAsync("/healthz")));
        _status.Applied();
        Assert.Equal((200, 200), (await GetAsync("/livez"), await GetAsync("/healthz")));
    }

    [Fact]
    public async Task A_node_that_is_being_deleted_is_not_eligible_for_traffic_and_alive()
    {
        _status.SetEligible(false);
        Assert.Equal((200, 503), (await GetAsync("/livez"), await GetAsync("/healthz")));
    }

    private async Task<int> GetAsync(string path)
    {
        var context = new DefaultHttpContext();
        context.Connection.LocalPort = _options.HealthzAddress.Port;
        (context.Request.Method, context.Request.Path) = ("GET", path);
        await _endpoints.HandleAsync(context);
        return context.Response.StatusCode;
    }
}
