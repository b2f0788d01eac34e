namespace Ebpf.Cni.Agent;

/// <summary>One agent at a time for a run directory: a lock on a file, which the kernel drops when the process is gone.</summary>
public static class AgentLock
{
    /// <summary>Null when another agent holds it.</summary>
    /// <exception cref="IOException">The directory cannot be made.</exception>
    public static IDisposable? TryTake(string runDirectory)
    {
        Directory.CreateDirectory(runDirectory);
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
