using System.Diagnostics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// A cgroup by its path in every hierarchy there is: one with version 2 alone, a dozen where version 1's controllers are mounted, in each
/// of which a runtime makes it. What it leaves (the parents) it never removes.
/// </summary>
internal static class CgroupHierarchies
{
    /// <summary>Kills what runs in the cgroup and below, in any hierarchy, and removes it, with parents that are empty then.</summary>
    public static Task EndAsync(string path) => Eventually.True(
        () =>
        {
            var directories = Mounted().Select(mount => mount + path).Where(Directory.Exists).ToList();
            foreach (var directory in directories)
                TryEnd(directory);
            foreach (var mount in Mounted().ToList())
                RemoveEmpty(mount, path);
            return !directories.Exists(Directory.Exists);
        }, $"the cgroup {path} is gone");

    private static IEnumerable<string> Mounted() =>
        File.ReadLines("/proc/self/mounts").Select(l => l.Split(' ')).Where(f => f[2] is "cgroup" or "cgroup2").Select(f => f[1]);

    private static void TryEnd(string directory)
    {
        try
        {
            foreach (var below in Directory.GetDirectories(directory))
                TryEnd(below);
            foreach (var id in File.ReadAllLines(Path.Combine(directory, "cgroup.procs")))
                Kill(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture));
            Directory.Delete(directory);
        }
        catch (IOException)
        {
            // Somebody still dies there, or it is gone already: seen at the next look.
        }
    }

    /// <summary>What is above the cgroup, as far as nobody uses it.</summary>
    private static void RemoveEmpty(string mount, string path)
    {
        try
        {
            for (var parent = Path.GetDirectoryName(path)!; parent.Length > 1; parent = Path.GetDirectoryName(parent)!)
                if (Directory.Exists(mount + parent))
                    Directory.Delete(mount + parent);
        }
        catch (IOException)
        {
            // In use: in the hierarchy of version 2 the node's other processes are there.
        }
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It ended by itself.
        }
    }
}
