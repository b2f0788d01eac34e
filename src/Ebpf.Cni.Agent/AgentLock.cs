using Ebpf.Cni.Agent.Options;

namespace Ebpf.Cni.Agent;

/// <summary>One agent at a time for a run directory: a lock on a file, which the kernel drops when the process is gone.</summary>
public static class AgentLock
{
    /// <exception cref="IOException">Another agent holds it.</exception>
    public static IDisposable Take(AgentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Directory.CreateDirectory(options.RunDir);
        return new FileStream(Path.Combine(options.RunDir, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
    }
}
