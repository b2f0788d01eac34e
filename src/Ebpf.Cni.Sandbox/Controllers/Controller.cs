using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// A level-driven loop: any change of the kinds it looks at makes it reconcile everything, and changes that arrive meanwhile make one more
/// round, not many.
/// </summary>
internal abstract partial class Controller(ObjectStore store, ILogger logger)
{
    protected ObjectStore Store => store;

    /// <summary>The kinds whose changes matter.</summary>
    protected abstract IReadOnlyList<ResourceType> Watched { get; }

    public async Task RunAsync(CancellationToken cancel)
    {
        using var watch = store.Watch(null, store.ResourceVersion);
        do
        {
            try
            {
                Reconcile();
            }
            catch (ApiException e)
            {
                // Lost a race with another writer: its change is in the queue and brings the next round.
                Log.Retry(logger, GetType().Name, e.Message);
            }
        }
        while (await NextRelevantAsync(watch, cancel));
    }

    protected abstract void Reconcile();

    private async Task<bool> NextRelevantAsync(StoreWatch watch, CancellationToken cancel)
    {
        var relevant = false;
        while (!relevant)
        {
            if (!await watch.Changes.WaitToReadAsync(cancel))
                return false;
            while (watch.Changes.TryRead(out var change))
                relevant |= Watched.Contains(change.Type);
        }

        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(7101, LogLevel.Debug, "controller {Controller}: {Problem}; retried with the next change")]
        public static partial void Retry(ILogger logger, string controller, string problem);
    }
}
