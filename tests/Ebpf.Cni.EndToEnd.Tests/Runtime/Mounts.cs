using System.Diagnostics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>What killed runtimes leave mounted: root file systems, /dev/shm of sandboxes, network namespaces.</summary>
internal static class Mounts
{
    /// <summary>Unmounts everything below a directory, the innermost first.</summary>
    public static async Task RemoveBelowAsync(string directory) => await Eventually.True(
        async () =>
        {
            var points = Below(directory);
            foreach (var point in points)
            {
                using var unmount = Process.Start(new ProcessStartInfo("umount", ["--lazy", point]) { RedirectStandardError = true })!;
                await unmount.WaitForExitAsync();
            }
            return points.Count == 0;
        }, $"nothing is mounted below {directory}");

    // the fifth field is the mount point, with spaces written as \040: there are none in ours
    private static List<string> Below(string directory) =>
        [.. File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')[4])
            .Where(p => p.StartsWith(directory + "/", StringComparison.Ordinal)).Reverse()];
}
