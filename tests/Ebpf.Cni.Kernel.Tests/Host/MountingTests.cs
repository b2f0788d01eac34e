using System.Diagnostics;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class MountingTests : IDisposable
{
    private const int Trees = 300, MountPoints = 20;

    private readonly string _directory = Directory.CreateTempSubdirectory("ebc-kernel-mounts-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>
    /// A file that was opened for writing stays open in a child process until the child's exec, and a mount with writers refuses to become
    /// read-only (EBUSY).
    /// </summary>
    [Fact]
    public async Task A_tree_with_new_mount_points_becomes_read_only_while_other_threads_start_processes()
    {
        Requires.Root();
        using var stop = new CancellationTokenSource();
        var starting = Enumerable.Range(0, 2).Select(_ => Task.Run(() => StartProcesses(stop.Token), CancellationToken.None)).ToArray();
        try
        {
            MountNamespace.RunInCopy(() =>
            {
                for (var i = 0; i < Trees; i++)
                    MakeTree(Directory.CreateDirectory($"{_directory}/{i}").FullName);
                return 0;
            });
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(starting);
        }
    }

    private static void MakeTree(string root)
    {
        Mounting.FileSystem("tmpfs", root);
        for (var i = 0; i < MountPoints; i++)
            Mounting.BindNew("/dev/null", $"{root}/{i}");
        Mounting.ReadOnly(root);
        Assert.Throws<IOException>(() => File.WriteAllText($"{root}/more", ""));
        Mounting.Detach(root);
    }

    private static void StartProcesses(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using var process = Process.Start("/bin/true");
            process.WaitForExit();
        }
    }
}
