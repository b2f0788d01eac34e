using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>A cgroup of this test's own; a process left inside is moved out before it is removed.</summary>
public sealed class TestCgroup : IDisposable
{
    private static int _count;

    public TestCgroup()
    {
        var root = CgroupDirectory.FindMountPoint();
        Directory = CgroupDirectory.Create($"{root}/ebc-kernel-tests-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}");
    }

    public CgroupDirectory Directory { get; }

    public void Dispose()
    {
        var root = CgroupDirectory.Open(CgroupDirectory.FindMountPoint());
        foreach (var process in Directory.ProcessIds)
            root.Add(process);
        Directory.Remove();
    }
}
