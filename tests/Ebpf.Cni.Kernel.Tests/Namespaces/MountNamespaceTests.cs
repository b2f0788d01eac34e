using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Interop;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Namespaces;

public sealed class MountNamespaceTests : PrivilegedTest
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ebc-kernel-tests-").FullName;

    [Fact]
    public void What_is_mounted_in_a_copy_is_seen_there_and_nowhere_else()
    {
        try
        {
            var inside = MountNamespace.RunInCopy(() =>
            {
                BpfFileSystem.Mount(_directory);
                // the table is the calling thread's, not the process's
                return MountTable.FindPath(_directory)?.Type;
            });
            Assert.Equal(BpfFileSystem.FileSystemType, inside);
            Assert.Null(MountTable.FindPath(_directory));
        }
        finally
        {
            Directory.Delete(_directory);
        }
    }

    [Fact]
    public void The_namespace_of_a_process_is_entered_by_its_directory()
    {
        try
        {
            var seen = MountNamespace.RunInCopy(() =>
            {
                BpfFileSystem.Mount(_directory);
                var id = File.ReadAllText("/proc/thread-self/stat").Split(' ')[0];
                // entered from a thread that is in the first namespace, while this one keeps the other alive
                return MountNamespace.Run($"/proc/{id}", () => MountTable.FindPath(_directory)?.Type);
            });
            Assert.Equal(BpfFileSystem.FileSystemType, seen);
            Assert.Null(MountNamespace.Run("/proc/self", () => MountTable.FindPath(_directory)));
        }
        finally
        {
            Directory.Delete(_directory);
        }
    }

    [Fact]
    public void Settings_of_the_network_are_the_calling_threads_wherever_they_are_mounted()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        const string name = "net/ipv4/conf/lo/rp_filter";
        var outside = Sysctl.Read(name);
        var other = outside == "1" ? "2" : "1";
        try
        {
            MountNamespace.RunInCopy(() =>
            {
                Assert.Equal(0, LibC.Mount("/proc/sys/net", _directory, null, LibC.MS_BIND, null));
                Assert.Equal(outside, Sysctl.Read(name, _directory));
                // setns changes the network of this thread alone, which has the mount
                using var entered = LibC.OpenFile($"/proc/self/fd/{there.Handle.DangerousGetHandle()}", LibC.O_RDONLY);
                Assert.Equal(0, LibC.SetNamespace(entered, LibC.CLONE_NEWNET));
                Sysctl.Write(name, other, _directory);
                Assert.Equal(other, Sysctl.Read(name, _directory));
                return true;
            });
            Assert.Equal(other, there.Run(() => Sysctl.Read(name)));
            Assert.Equal(outside, Sysctl.Read(name));
        }
        finally
        {
            Directory.Delete(_directory);
        }
    }

    [Fact]
    public void Where_nothing_can_be_written_the_reason_is_told()
    {
        try
        {
            var refusal = MountNamespace.RunInCopy(() =>
            {
                Assert.Equal(0, LibC.Mount(_directory, _directory, null, LibC.MS_BIND, null));
                const int remount = 32, readOnly = 1;
                Assert.Equal(0, LibC.Mount(null, _directory, null, LibC.MS_BIND | remount | readOnly, null));
                return WriteAccess.Refusal(Path.Combine(_directory, "not", "there"));
            });
            Assert.Equal($"{_directory} is on a read-only file system", refusal);
            Assert.Null(WriteAccess.Refusal(Path.Combine(_directory, "not", "there")));
        }
        finally
        {
            Directory.Delete(_directory);
        }
    }
}
