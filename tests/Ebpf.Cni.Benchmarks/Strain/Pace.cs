using System.Diagnostics;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>Acts that follow each other at a rate.</summary>
internal static class Pace
{
    /// <param name="count">How many acts.</param>
    /// <param name="rate">Acts a second; 0: as fast as it goes.</param>
    /// <param name="act">Gets its number, from 0.</param>
    public static async Task RunAsync(int count, double rate, Action<int> act)
    {
        var clock = Stopwatch.StartNew();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (var i = 0; i < count; i++)
        {
            while (rate > 0 && clock.Elapsed.TotalSeconds * rate < i)
                await tick.WaitForNextTickAsync();
            act(i);
        }
    }
}
