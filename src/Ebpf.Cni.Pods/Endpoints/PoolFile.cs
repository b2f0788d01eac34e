using Ebpf.Cni.Pods.Addresses;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// addresses.json: spares a restarted agent waiting, and addresses their rest. Of many changes at once each waits until it is on the disk,
/// but not for a write of its own: each write includes the changes of the others.
/// </summary>
/// <param name="files">Where it is.</param>
/// <param name="current">What there is to write; called by one at a time.</param>
/// <param name="log">For what cannot be written.</param>
internal sealed partial class PoolFile(EndpointFiles files, Func<PoolRecord> current, ILogger log)
{
    private readonly Lock _writing = new();
    private long _changes, _written;

    /// <summary>
    /// Returns when the file has what was there when this was called. A full disk must neither stop the agent nor keep pods from being
    /// deleted: that is logged.
    /// </summary>
    public void Changed()
    {
        var mine = Interlocked.Increment(ref _changes);
        lock (_writing)
        {
            if (_written >= mine)
                return;
            var all = Interlocked.Read(ref _changes);
            try
            {
                files.WritePool(current());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Log.NotWritten(log, e.Message);
            }

            _written = all;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3102, LogLevel.Warning,
            "IPAM state (podCIDRs, IP reuse delays) cannot be written to the state directory and is kept in memory only: {Cause}")]
        public static partial void NotWritten(ILogger log, string cause);
    }
}
