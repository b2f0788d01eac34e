using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

public sealed class MisbehaviourTests : ApiTest
{
    [Fact]
    public async Task A_status_fault_hits_the_path_it_names_as_often_as_it_says()
    {
        Server.Misbehaviour.Add(new Fault(FaultKind.Status, "/configmaps", Count: 2, Status: 503));
        Assert.Equal(200, (await GetAsync(Services)).Code);
        Assert.Equal(503, (await GetAsync(ConfigMaps)).Code);
        Assert.Equal(503, (await GetAsync(ConfigMaps)).Code);
        Assert.Equal(200, (await GetAsync(ConfigMaps)).Code);
    }

    [Fact]
    public async Task Faults_can_be_ordered_over_http()
    {
        Assert.Equal(200, (await SendAsync(HttpMethod.Post, "/sandbox/faults", """{"kind":"Status","status":429,"retryAfterSeconds":3}""")).Code);
        using var answer = await Http.GetAsync(new Uri(ConfigMaps, UriKind.Relative));
        Assert.Equal(429, (int)answer.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(3), answer.Headers.RetryAfter?.Delta);
        Assert.Equal(400, (await SendAsync(HttpMethod.Post, "/sandbox/faults", """{"kind":"?"}""")).Code);
        Assert.Equal(404, (await SendAsync(HttpMethod.Post, "/sandbox/nothing")).Code);
    }

    [Fact]
    public async Task Garbage_and_truncated_answers_are_no_json()
    {
        Server.Misbehaviour.Add(new Fault(FaultKind.Garbage));
        Server.Misbehaviour.Add(new Fault(FaultKind.Truncate));
        for (var i = 0; i < 2; i++)
            await Assert.ThrowsAnyAsync<System.Text.Json.JsonException>(() => GetAsync(ConfigMaps));
        Assert.Equal(200, (await GetAsync(ConfigMaps)).Code);
    }

    [Fact]
    public async Task A_dropped_request_gets_no_answer()
    {
        Server.Misbehaviour.Add(new Fault(FaultKind.Drop));
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(ConfigMaps));
    }

    [Fact]
    public async Task A_watch_error_comes_as_an_event_and_only_to_watches()
    {
        Server.Misbehaviour.Add(new Fault(FaultKind.WatchError, Status: 410, OnlyWatches: true));
        Assert.Equal(200, (await GetAsync(ConfigMaps)).Code);
        using var watch = await WatchAsync(ConfigMaps + "?watch=true");
        var (type, status) = await watch.NextAsync();
        Assert.Equal(("ERROR", 410), (type, status.Number("code")));
    }
}
