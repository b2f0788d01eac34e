using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// Keeps <see cref="LastStatus"/> beside the socket up to date: what the plugin answers STATUS with while this agent is being replaced.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="unavailable">Why no ADD can be served now, or null.</param>
/// <param name="time">For the period, and the time in the file.</param>
/// <param name="log">For a file that cannot be written; logged once, until it can be.</param>
public sealed partial class StatusFile(string path, Func<CniException?> unavailable, TimeProvider time, ILogger<StatusFile> log)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private bool _logged;

    public async Task RunAsync(CancellationToken cancel)
    {
        // Of an agent that was killed while it wrote.
        AtomicFile.RemoveLeftovers(Path.GetDirectoryName(path)!, Path.GetFileName(path));
        using var timer = new PeriodicTimer(LastStatus.Period, time);
        do
            Write();
        while (await timer.WaitForNextTickAsync(cancel));
    }

    private void Write()
    {
        try
        {
            AtomicFile.Write(path, LastStatus.Now(time, unavailable()).ToJson(), OwnerOnly);
            _logged = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!_logged)
                Log.NotWritten(log, path, e.Message);
            _logged = true;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3181, LogLevel.Warning,
            "CNI status file {Path} cannot be written: while the agent is replaced, "
            + "STATUS reports the node as not ready ({Cause})")]
        public static partial void NotWritten(ILogger log, string path, string cause);
    }
}
