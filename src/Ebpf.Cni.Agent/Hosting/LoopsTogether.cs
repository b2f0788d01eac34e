namespace Ebpf.Cni.Agent.Hosting;

/// <summary>Loops of one service that live and die together.</summary>
internal static class LoopsTogether
{
    /// <summary>
    /// Runs until cancelled. The first that ends before ends all of them: waiting for the others would hide it for as long as they run.
    /// </summary>
    /// <exception cref="InvalidOperationException">One has ended without a fault. What a loop throws comes through as it is.</exception>
    public static async Task RunAsync(CancellationToken cancel, params IReadOnlyList<Func<CancellationToken, Task>> loops)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task[] running = [.. loops.Select(loop => loop(stop.Token))];
        var first = await Task.WhenAny(running);
        await stop.CancelAsync();
        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cancel.IsCancellationRequested)
            return;
        await first;
        throw new InvalidOperationException("a background loop has ended unexpectedly");
    }
}
