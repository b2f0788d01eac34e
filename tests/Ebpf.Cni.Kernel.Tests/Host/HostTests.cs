using System.Diagnostics;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class HostTests : PrivilegedTest
{
    [Fact]
    public void Processes_are_moved_between_cgroups_and_empty_ones_removed()
    {
        var cgroup = Own(new TestCgroup()).Directory;
        var child = CgroupDirectory.Create(Path.Combine(cgroup.DirectoryPath, "child"));
        Assert.NotEqual(cgroup.Id, child.Id);
        using var process = Process.Start(new ProcessStartInfo("sleep", ["60"]))!;
        try
        {
            child.Add(process.Id);
            Assert.Equal([process.Id], child.ProcessIds);
            Assert.ThrowsAny<IOException>(cgroup.Remove);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
        child.Remove();
        child.Remove();
        Assert.False(Directory.Exists(child.DirectoryPath));
        Assert.Throws<DirectoryNotFoundException>(() => CgroupDirectory.Open(child.DirectoryPath));
    }

    [Fact]
    public void The_bpf_file_system_is_there_after_ensuring_it()
    {
        BpfFileSystem.Ensure();
        Assert.True(BpfFileSystem.IsInside(BpfFileSystem.DefaultPath + "/not/there/yet"));
        Assert.False(BpfFileSystem.IsInside("/tmp"));
        Assert.Throws<InvalidOperationException>(() => BpfFileSystem.Ensure("/tmp/ebc-kernel-tests-none"));
        Assert.False(Directory.Exists("/tmp/ebc-kernel-tests-none"));
        Assert.Equal("bpf", MountTable.FindPath(BpfFileSystem.DefaultPath)?.Type);
    }

    [Fact]
    public void Settings_that_are_not_there_are_typed_errors()
    {
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => Sysctl.Read("net.ipv4.no_such_thing")).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => Sysctl.Write("net.ipv4.ip_forward", "nonsense")).Errno);
        Assert.Throws<ArgumentException>(() => Sysctl.Read("net/../../etc/passwd"));
        Assert.Throws<ArgumentException>(() => Sysctl.Read("net..ipv4"));
    }
}
