namespace Ebpf.Cni.Agent;

/// <summary>One agent at a time for a run directory: a lock on a file, which the kernel drops when the process is gone.</summary>
public static class AgentLock
{
    /// <summary>Of directories with sockets: what is in them says who talks to whom, and takes orders.</summary>
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Null when another agent holds it.</summary>
    /// <exception cref="IOException">The directory cannot be made.</exception>
    public static IDisposable? TryTake(string runDirectory)
    {
        Directory.CreateDirectory(runDirectory, OwnerOnly);
        try
        {
            return new FileStream(Path.Combine(runDirectory, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
