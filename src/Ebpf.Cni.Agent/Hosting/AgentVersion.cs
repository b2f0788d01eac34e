using System.Reflection;

namespace Ebpf.Cni.Agent.Hosting;

/// <summary>What this agent is, and what it runs on.</summary>
public static class AgentVersion
{
    /// <summary>The agent's version, with the revision that it was built from where that is known.</summary>
    public static string Text { get; } =
        typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>Of the running kernel, as uname -r prints it.</summary>
    public static string KernelRelease() => File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
}
