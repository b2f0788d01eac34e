using Ebpf.Cni.Sync.Loop;
using Ebpf.Cni.Sync.State;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Sync.Tests.State;

/// <summary>kube-proxy's health rule, and readiness.</summary>
public class SyncStatusTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_change_not_applied_in_time_is_ill_health_until_it_is()
    {
        var status = new SyncStatus(_time, TimeSpan.FromSeconds(60));
        Assert.True(status.Healthy);
        status.Queued(_time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(59));
        status.Queued(_time.GetTimestamp());
        Assert.True(status.Healthy);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(status.Healthy);
        status.Applied();
        Assert.True(status.Healthy);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.True(status.Healthy);
    }

    [Fact]
    public void Ready_is_synced_and_serving()
    {
        var status = new SyncStatus(_time, TimeSpan.FromSeconds(60));
        status.Applied();
        Assert.False(status.Ready);
        status.ServingCni();
        Assert.True(status.Ready);
    }

    [Fact]
    public void Retries_slow_down_and_start_over()
    {
        var delay = new RetryDelay();
        Assert.Equal([200, 400, 800], Enumerable.Range(0, 3).Select(_ => (int)delay.Next().TotalMilliseconds));
        for (var i = 0; i < 20; i++)
            delay.Next();
        Assert.Equal(30, delay.Next().TotalSeconds);
        delay.Reset();
        Assert.Equal(200, delay.Next().TotalMilliseconds);
    }
}
