using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Services;

public class SegmentAllocatorTests
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    [Fact]
    public void Released_space_rests_before_it_is_handed_out_again()
    {
        var time = new FakeTimeProvider();
        var allocator = new SegmentAllocator(4, Rest, time);
        Assert.Equal(AllocationOutcome.Allocated, allocator.TryAllocate(4, out var all));
        Assert.Equal(AllocationOutcome.Full, allocator.TryAllocate(1, out _));
        allocator.Release(all);
        Assert.Equal(AllocationOutcome.Resting, allocator.TryAllocate(4, out _));
        Assert.Equal(Rest, allocator.NextRelease);
        time.Advance(Rest - TimeSpan.FromTicks(1));
        Assert.Equal(AllocationOutcome.Resting, allocator.TryAllocate(1, out _));
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(AllocationOutcome.Allocated, allocator.TryAllocate(4, out _));
        Assert.Null(allocator.NextRelease);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Readers_are_waited_for_when_space_is_short_and_only_then(bool succeeds)
    {
        var (waits, time) = (0, new FakeTimeProvider());
        var allocator = new SegmentAllocator(4, Rest, time, () => ++waits > 0 && succeeds);
        allocator.TryAllocate(2, out var first);
        allocator.Release(first);
        Assert.Equal(AllocationOutcome.Allocated, allocator.TryAllocate(2, out var second));
        Assert.NotEqual(first, second);
        Assert.Equal(AllocationOutcome.Full, allocator.TryAllocate(3, out _));
        Assert.Equal(0, waits);
        Assert.Equal(succeeds ? AllocationOutcome.Allocated : AllocationOutcome.Resting, allocator.TryAllocate(2, out _));
        Assert.Equal((1, succeeds), (waits, allocator.NextRelease is null));
        time.Advance(Rest);
        Assert.Equal(succeeds ? AllocationOutcome.Full : AllocationOutcome.Allocated, allocator.TryAllocate(2, out _));
        Assert.Equal(1, waits);
    }

    [Fact]
    public void Cancelled_space_is_free_at_once()
    {
        var allocator = new SegmentAllocator(4, Rest, new FakeTimeProvider());
        allocator.TryAllocate(3, out var taken);
        allocator.Cancel(taken);
        Assert.Equal(AllocationOutcome.Allocated, allocator.TryAllocate(4, out _));
    }

    [Fact]
    public void Best_fit_spares_the_large_extent()
    {
        var allocator = new SegmentAllocator(16, TimeSpan.Zero, new FakeTimeProvider());
        allocator.Reserve(new Extent(2, 1));   // free: [0,2) and [3,16)
        allocator.TryAllocate(2, out var small);
        Assert.Equal(new Extent(0, 2), small);
        Assert.Equal(AllocationOutcome.Allocated, allocator.TryAllocate(13, out _));
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 1)]
    public void Space_that_is_free_cannot_be_released(uint offset, uint count)
    {
        var allocator = new SegmentAllocator(4, Rest, new FakeTimeProvider());
        allocator.Reserve(new Extent(0, 1));
        Assert.Throws<InvalidOperationException>(() => allocator.Release(new Extent(offset, count)));
        Assert.Throws<InvalidOperationException>(() => allocator.Reserve(new Extent(0, 2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => allocator.Release(new Extent(3, 2)));
    }

    [Fact]
    public void Behaves_as_an_array_of_flags_does()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 40; round++)
        {
            var time = new FakeTimeProvider();
            var capacity = (uint)random.Next(1, 64);
            var allocator = new SegmentAllocator(capacity, Rest, time);
            var model = new NaiveAllocator((int)capacity);
            var live = new List<Extent>();
            for (var step = 0; step < 300; step++)
                Step(random, time, allocator, model, live);
        }
    }

    /// <summary>
    /// Some services are large, most are small, all come, go, grow and shrink by rewriting: what is free must stay usable.
    /// </summary>
    [Fact]
    public void A_day_of_changes_does_not_scatter_the_free_space()
    {
        const uint capacity = 65536;
        var random = new Random(Seed.Next());
        var time = new FakeTimeProvider();
        var allocator = new SegmentAllocator(capacity, Rest, time);
        var live = new List<Extent>();
        for (var step = 0; step < 300_000; step++)
        {
            var size = random.Next(100) switch { 0 => random.Next(500, 1500), < 10 => random.Next(20, 100), _ => random.Next(1, 10) };
            if (allocator.Used + size <= capacity / 2)
            {
                Assert.True(allocator.TryAllocate((uint)size, out var grown) != AllocationOutcome.Full,
                    $"step {step}: {size} do not fit although {allocator.Used} of {capacity} are used");
                if (grown.Count > 0)
                    live.Add(grown);
            }
            else
            {
                var gone = random.Next(live.Count);
                allocator.Release(live[gone]);
                (live[gone], _) = (live[^1], live[^1]);
                live.RemoveAt(live.Count - 1);
            }
            time.Advance(TimeSpan.FromMilliseconds(288));
        }
    }

    private static void Step(Random random, FakeTimeProvider time, SegmentAllocator allocator, NaiveAllocator model, List<Extent> live)
    {
        switch (random.Next(6))
        {
            case 0 or 1 or 2:
                var count = random.Next(1, 9);
                var outcome = allocator.TryAllocate((uint)count, out var extent);
                Assert.Equal(model.Expect(count, time.GetUtcNow()), outcome);
                if (outcome != AllocationOutcome.Allocated)
                    break;
                model.Take(extent, time.GetUtcNow());
                live.Add(extent);
                break;
            case 3 or 4 when live.Count > 0:
                var victim = live[random.Next(live.Count)];
                live.Remove(victim);
                var cancel = random.Next(4) == 0;
                model.Give(victim, cancel ? time.GetUtcNow() : time.GetUtcNow() + Rest);
                if (cancel)
                    allocator.Cancel(victim);
                else
                    allocator.Release(victim);
                break;
            default:
                time.Advance(TimeSpan.FromSeconds(random.Next(1, 6)));
                break;
        }
        Assert.Equal((uint)live.Sum(e => e.Count), allocator.Used);
    }

    /// <summary>One time for each element: when it is free; the maximum while it is used.</summary>
    private sealed class NaiveAllocator(int capacity)
    {
        private readonly DateTimeOffset[] _freeAt = new DateTimeOffset[capacity];

        public AllocationOutcome Expect(int count, DateTimeOffset now) =>
            LongestRun(at => at <= now) >= count ? AllocationOutcome.Allocated
            : LongestRun(at => at != DateTimeOffset.MaxValue) >= count ? AllocationOutcome.Resting
            : AllocationOutcome.Full;

        public void Take(Extent extent, DateTimeOffset now)
        {
            for (var i = extent.Offset; i < extent.End; i++)
            {
                Assert.True(_freeAt[i] <= now, $"element {i} was handed out while in use or at rest");
                _freeAt[i] = DateTimeOffset.MaxValue;
            }
        }

        public void Give(Extent extent, DateTimeOffset at) => _freeAt.AsSpan((int)extent.Offset, (int)extent.Count).Fill(at);

        private int LongestRun(Func<DateTimeOffset, bool> free)
        {
            int longest = 0, run = 0;
            foreach (var at in _freeAt)
            {
                run = free(at) ? run + 1 : 0;
                longest = Math.Max(longest, run);
            }
            return longest;
        }
    }
}
