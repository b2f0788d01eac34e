using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class MountTableTests
{
    [Fact]
    public void Lines_are_read_with_and_without_optional_fields()
    {
        var mounts = MountTable.Parse("""
            36 35 98:0 / /sys/fs/cgroup/unified rw,noatime master:1 - cgroup2 cgroup rw
            37 35 0:5 /sub /mnt/with\040space\134 rw - bpf none rw
            38 35 nonsense
            """);
        Assert.Equal([new Mount("/sys/fs/cgroup/unified", "cgroup2", "/"), new Mount("/mnt/with space\\", "bpf", "/sub")], mounts);
    }

    [Fact]
    public void The_root_is_mounted() => Assert.Contains(MountTable.Read(), mount => mount.Path == "/");
}
