using Ebpf.Cni.Agent.Sync;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Agent.Tests.Sync;

/// <summary>When what a storm has left in memory is given back.</summary>
public class QuietMemoryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly SyncStatus _status;
    private long _allocated;
    private int _collected;

    public QuietMemoryTests() => _status = new SyncStatus(_time, TimeSpan.FromMinutes(1));

    [Fact]
    public void Everything_is_collected_once_when_a_storm_is_over()
    {
        using var memory = Memory();
        for (var i = 0; i < 5; i++)
        {
            Apply(QuietMemory.Much);
            memory.Look();
        }

        Assert.Equal(0, _collected);
        memory.Look();
        Assert.Equal(1, _collected);
        memory.Look();
        Assert.Equal(1, _collected);
    }

    [Fact]
    public void A_change_now_and_then_collects_nothing()
    {
        using var memory = Memory();
        for (var i = 0; i < 8; i++)
        {
            Apply((QuietMemory.Much - 1) / 8);
            memory.Look();
            memory.Look();
        }

        Assert.Equal(0, _collected);
        Apply(QuietMemory.Much);
        memory.Look();
        memory.Look();
        Assert.Equal(1, _collected);
    }

    [Fact]
    public async Task It_is_looked_at_in_every_period_after_the_first_lists()
    {
        using var memory = Memory();
        await memory.StartAsync(CancellationToken.None);
        Apply(QuietMemory.Much);
        await Eventually.True(
            () =>
            {
                _time.Advance(QuietMemory.Period);
                return _collected == 1;
            }, "everything is collected");
        await memory.StopAsync(CancellationToken.None);
    }

    private QuietMemory Memory() => new(_status, _time) { Allocated = () => _allocated, Collect = () => _collected++ };

    private void Apply(long allocated)
    {
        _allocated += allocated;
        _time.Advance(TimeSpan.FromSeconds(1));
        _status.Applied();
    }
}
