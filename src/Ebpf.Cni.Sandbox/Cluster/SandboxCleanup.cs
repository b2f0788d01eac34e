using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>Removes a sandbox, whatever state it is in: by the names that all its things carry.</summary>
internal static class SandboxCleanup
{
    private static readonly TimeSpan OwnerPatience = TimeSpan.FromSeconds(15);

    /// <summary>Ends the process that owns the sandbox, if there is one besides this, and removes what is left.</summary>
    /// <returns>Whether there was anything.</returns>
    public static async Task<bool> RunAsync(SandboxPaths paths)
    {
        var found = Directory.Exists(paths.WorkDirectory) || Directory.Exists(paths.CgroupPath) || paths.ExistingNamespaces().Count > 0;
        if (SandboxRecord.Read(paths)?.Owner is { } owner && owner.Id != Environment.ProcessId)
            await EndOwnerAsync(owner);
        await RemoveAsync(paths);
        return found;
    }

    /// <summary>Removes everything that carries the sandbox's name; its owner is not asked.</summary>
    /// <param name="keepOwnerLog">The caller may be writing to it.</param>
    public static async Task RemoveAsync(SandboxPaths paths, bool keepOwnerLog = false)
    {
        await CgroupProcesses.EndAsync(paths.CgroupPath);
        foreach (var pins in paths.ExistingBpffsDirectories())
            Directory.Delete(pins, recursive: true);
        foreach (var bound in paths.ExistingNamespaces())
            NetworkNamespace.Remove(bound);
        if (Directory.Exists(paths.WorkDirectory))
            Directory.Delete(paths.WorkDirectory, recursive: true);
        if (!keepOwnerLog)
            File.Delete(paths.OwnerLog);
    }

    private static async Task EndOwnerAsync(ProcessIdentity owner)
    {
        if (!owner.IsAlive)
            return;
        await NodeProcess.TerminateAsync(owner.Id);
        var patience = Task.Delay(OwnerPatience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20)); // it is no child: nothing tells when it ends
        while (owner.IsAlive && !patience.IsCompleted)
            await timer.WaitForNextTickAsync();
        if (!owner.IsAlive)
            return;
        using var process = System.Diagnostics.Process.GetProcessById(owner.Id);
        process.Kill();
        while (owner.IsAlive)
            await timer.WaitForNextTickAsync();
    }
}
