namespace Ebpf.Cni.Dataplane.Tables;

/// <summary>Batches that go on behind each entry that fails.</summary>
internal static class Batches
{
    /// <param name="length">Entries.</param>
    /// <param name="write">Writes them from this index on.</param>
    /// <param name="done">Called for each element that was done; may be null.</param>
    /// <param name="failed">Called for each element that was not processed, or may not have been.</param>
    /// <returns>How many were done.</returns>
    public static int Run(int length, Func<int, BatchOutcome> write, Action<int>? done = null, Action<int, BatchOutcome>? failed = null)
    {
        var count = 0;
        for (var next = 0; next < length;)
        {
            var outcome = write(next);
            var end = next + outcome.Completed;
            for (; next < end; next++, count++)
                done?.Invoke(next);
            if (outcome.Error is null)
                break;
            failed?.Invoke(next, outcome);
            next++;
        }
        return count;
    }
}
