using System.Diagnostics;

namespace Ebpf.Cni.Testing;

/// <summary>Waiting for a condition instead of for a time.</summary>
public static class Eventually
{
    /// <summary>Polls until <paramref name="condition"/> holds; fails with <paramref name="what"/> after the limit (30 s).</summary>
    public static async Task True(Func<Task<bool>> condition, string what, TimeSpan? limit = null)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var clock = Stopwatch.StartNew();
        var patience = limit ?? TimeSpan.FromSeconds(30);
        while (!await condition())
        {
            if (clock.Elapsed > patience)
                throw new TimeoutException($"did not happen within {patience.TotalSeconds:0} s: {what}");
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
            await timer.WaitForNextTickAsync();
        }
    }

    public static Task True(Func<bool> condition, string what, TimeSpan? limit = null) =>
        True(() => Task.FromResult(condition()), what, limit);
}
