using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Agent.Tests.Options;

/// <summary>Which of a machine's mounts is the whole hierarchy.</summary>
public class CgroupRootTests
{
    private static readonly Mount Plain = new("/sys/fs/cgroup", "cgroup2", "/");
    private static readonly Mount Tmpfs = new("/sys/fs/cgroup", "tmpfs", "/");
    private static readonly Mount Unified = new("/sys/fs/cgroup/unified", "cgroup2", "/");
    private static readonly Mount Container = new("/run/part", "cgroup2", "/kubepods/pod1");

    [Fact]
    public void Where_the_node_is_a_container_what_it_gave_comes_before_this_containers_own() =>
        Assert.Equal("/host/sys/fs/cgroup", CgroupRoot.Find([Plain, new("/host/sys/fs/cgroup", "cgroup2", "/../../..")], _ => false));

    [Fact]
    public void The_usual_place_wins_where_it_is_one() =>
        Assert.Equal("/sys/fs/cgroup", CgroupRoot.Find([Container, new("/elsewhere", "cgroup2", "/"), Plain], _ => true));

    [Fact]
    public void On_a_hybrid_machine_it_is_beside_v1s() =>
        Assert.Equal("/sys/fs/cgroup/unified", CgroupRoot.Find([Tmpfs, Container, Unified], p => p == Unified.Path));

    [Fact]
    public void A_mount_that_another_hides_does_not_count() =>
        Assert.Equal("/sys/fs/cgroup/unified", CgroupRoot.Find([Plain, Tmpfs, Unified], _ => true));

    [Fact]
    public void The_hosts_whole_hierarchy_wins_over_the_containers_part() =>
        Assert.Equal("/host/cgroup", CgroupRoot.Find([Plain, new("/host/cgroup", "cgroup2", "/../..")], p => p == "/host/cgroup"));

    [Fact]
    public void Without_a_mount_there_is_none_and_an_explicit_directory_stays()
    {
        Assert.Null(CgroupRoot.Find([Tmpfs], _ => true));
        Assert.Equal("/x", CgroupRoot.Resolve(new AgentOptions { CgroupRoot = "/x" }).CgroupRoot);
    }
}
