using System.ComponentModel;
using System.Diagnostics;
using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>Every process of a sandbox is in a cgroup of it: that is how they are found and ended, children and strays included.</summary>
internal static class CgroupProcesses
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Kills what runs in the cgroup and below, and removes it. One that is gone is no error.</summary>
    /// <exception cref="TimeoutException">A process does not die: it waits in the kernel for something.</exception>
    public static async Task EndAsync(string cgroup)
    {
        var clock = Stopwatch.StartNew();
        // the kernel reports emptiness only to a poll of each file; dying takes a process a millisecond
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        while (Directory.Exists(cgroup))
        {
            Kill(cgroup);
            if (TryRemove(cgroup))
                return;
            if (clock.Elapsed > Patience)
                throw new TimeoutException($"processes in {cgroup} do not end: {string.Join(' ', All(cgroup))}");
            await tick.WaitForNextTickAsync();
        }
    }

    public static void Kill(string cgroup)
    {
        var all = Path.Combine(cgroup, "cgroup.kill");
        try
        {
            if (File.Exists(all)) // Linux 5.14
                File.WriteAllText(all, "1");
            else
                foreach (var id in All(cgroup))
                    KillOne(id);
        }
        catch (IOException) when (!Directory.Exists(cgroup))
        {
            // it went meanwhile: that is what was wanted
        }
    }

    public static IReadOnlyList<int> All(string cgroup)
    {
        if (!Directory.Exists(cgroup))
            return [];
        try
        {
            var below = Directory.GetDirectories(cgroup, "*", SearchOption.AllDirectories);
            return [.. below.Append(cgroup).SelectMany(directory => CgroupDirectory.Open(directory).ProcessIds)];
        }
        catch (IOException) when (!Directory.Exists(cgroup))
        {
            return [];
        }
    }

    private static bool TryRemove(string cgroup)
    {
        try
        {
            CgroupDirectory.Open(cgroup).Remove();
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return !Directory.Exists(cgroup);
        }
        catch (IOException)
        {
            return false; // busy: a process is still ending there
        }
    }

    private static void KillOne(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // it ended by itself
        }
    }
}
