namespace Ebpf.Cni.Agent.Hosting;

/// <summary>One agent at a time for a directory: a lock on a file in it, which the kernel drops when the process is gone.</summary>
public static class AgentLock
{
    /// <summary>Of directories with sockets: what is in them says who talks to whom, and takes orders.</summary>
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public const string RunName = "agent.lock";

    /// <summary>Another name, since the two directories may be one.</summary>
    public const string StateName = "state.lock";

    private const int WouldBlock = 11; // EWOULDBLOCK, of flock(2)

    /// <summary>Null when another agent holds it.</summary>
    /// <exception cref="IOException">The directory or the file cannot be made: no room, a read-only file system.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public static IDisposable? TryTake(string directory, string name)
    {
        Directory.CreateDirectory(directory, OwnerOnly);
        try
        {
            return new FileStream(Path.Combine(directory, name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            return null;
        }
    }
}
