using Ebpf.Cni.Sync.Loop;
using Ebpf.Cni.Sync.State;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

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
            _allocated += QuietMemory.Much;
            memory.Look();
        }

        Assert.Equal(0, _collected);
        memory.Look();
        Assert.Equal(1, _collected);
        memory.Look();
        Assert.Equal(1, _collected);
    }

    [Fact]
    public void Changes_now_and_then_are_collected_when_they_have_become_many()
    {
        using var memory = Memory();
        for (var sum = 0L; sum < QuietMemory.Much; sum += QuietMemory.Little)
        {
            Assert.Equal(0, _collected);
            _allocated += QuietMemory.Little;
            memory.Look();
        }

        Assert.Equal(1, _collected);
    }

    [Fact]
    public async Task It_is_looked_at_in_every_period_after_the_first_lists()
    {
        using var memory = Memory();
        await memory.StartAsync(CancellationToken.None);
        _allocated = QuietMemory.Much;
        _time.Advance(10 * QuietMemory.Period);
        Assert.Equal(0, _collected); // the first lists are not in
        _status.Applied();
        await Eventually.True(
            () =>
            {
                _time.Advance(QuietMemory.Period);
                return _collected == 1;
            }, "everything is collected");
        await memory.StopAsync(CancellationToken.None);
    }

    private QuietMemory Memory() => new(_status, _time) { Allocated = () => _allocated, Collect = () => _collected++ };
}
