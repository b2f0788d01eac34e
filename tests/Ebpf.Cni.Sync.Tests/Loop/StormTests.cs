using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>Minutes of storm against the whole loop; for an hour by `make soak`, each round with another seed.</summary>
public class StormTests
{
    private static readonly TimeSpan Simulated = TimeSpan.FromMinutes(15);

    [Fact]
    public async Task Whatever_arrives_in_whatever_order_the_tables_are_the_servers_at_every_quiet_point_and_applies_are_bounded()
    {
        foreach (var seed in Soak.Seeds())
        {
            await using var loop = await RunningLoop.StartAsync();
            var (start, before) = (loop.Clock.GetTimestamp(), loop.Kernel.Runs.Count);
            var storm = new Storm(new Random(seed), loop);
            await storm.RunAsync(Simulated);

            var runs = loop.Kernel.Runs.Skip(before - 1).ToList();
            var taken = loop.Clock.GetElapsedTime(start);
            var early = runs.Zip(runs.Skip(1)).Count(r => loop.Clock.GetElapsedTime(r.First.Ended, r.Second.Began) < RunningLoop.Interval);
            Assert.InRange(early, 0, storm.Pods);
            Assert.InRange(runs.Count, 100, (int)(taken / RunningLoop.Interval) + storm.Pods + 1);
            Assert.True(
                storm.QuietPoints > 10 && storm.Events > 1000, $"no storm: {storm.Events} events, {storm.QuietPoints} quiet points");
            Console.WriteLine(
                $"figure: a storm of {storm.Events} events in {taken.TotalMinutes:0.0} minutes was {runs.Count} applies, "
                + $"compared at {storm.QuietPoints} quiet points; "
                + $"no change waited for more than {storm.LongestWait.TotalMilliseconds:0} ms");
        }
    }
}
