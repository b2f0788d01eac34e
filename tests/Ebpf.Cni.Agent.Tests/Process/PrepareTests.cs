using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>"prepare" as an init container runs it: what it does to a node that lacks something, and to one that lacks nothing.</summary>
public class PrepareTests
{
    private const string NoBpffs = "umount -l /sys/fs/bpf; ";
    private const string NoUnifiedCgroups = "grep ' - cgroup2 ' /proc/self/mountinfo | cut -d' ' -f5 | xargs umount -l; ";
    private static readonly string[] Held = ["sys_admin", "sys_chroot", "sys_ptrace"];

    [Fact]
    public void What_is_missing_is_mounted_on_the_node_and_the_plugin_is_installed()
    {
        Ready();
        using var node = new NodeProcess(NoBpffs + "umount -Rl /sys/fs/cgroup");
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held) };
        var before = node.Mounts;
        Assert.DoesNotContain(before, Is("/sys/fs/bpf", "bpf")); // the control
        Assert.Equal(0, Prepare(agent, node));
        Assert.Equal(2, node.Mounts.Except(before).Count());
        Assert.Single(node.Mounts, Is("/sys/fs/bpf", "bpf"));
        var cgroups = Assert.Single(node.Mounts, Is("/sys/fs/cgroup", "cgroup2"));
        Assert.StartsWith("/ ", cgroups, StringComparison.Ordinal); // all of the hierarchy
        Assert.Contains("mounted a bpffs at /sys/fs/bpf\nmounted cgroup v2 at /sys/fs/cgroup\ninstalled ", agent.Output,
            StringComparison.Ordinal);
        Assert.Equal("a plugin", File.ReadAllText(Path.Combine(agent["bin"], "ebpf-cni")));
        Assert.Equal((UnixFileMode)0b111_101_101, File.GetUnixFileMode(Path.Combine(agent["bin"], "ebpf-cni")));

        var after = node.Mounts;
        using var again = new AgentProcess { Launcher = Rights.Capabilities(Held) };
        Assert.Equal(0, again.RunToEnd(Arguments(agent, node)));
        Assert.Equal(after, node.Mounts);
        Assert.Equal("", again.Output.Trim());
    }

    [Fact]
    public void Beside_the_controllers_of_version_1_cgroup_v2_is_mounted_where_the_agents_container_sees_it()
    {
        Ready();
        using var node = new NodeProcess(NoUnifiedCgroups + "mountpoint -q /sys/fs/cgroup || mount -t tmpfs none /sys/fs/cgroup");
        // as a runtime starts a container: in a cgroup namespace of its own, where the hierarchy would begin at the container
        using var agent = new AgentProcess { Launcher = ["unshare", "--cgroup", .. Rights.Capabilities(Held)] };
        var before = node.Mounts;
        Assert.Equal(0, Prepare(agent, node));
        Assert.StartsWith("/ /run/ebpf-cni/cgroup ", Assert.Single(node.Mounts.Except(before)), StringComparison.Ordinal);
        Assert.False(Directory.Exists("/run/ebpf-cni/cgroup"), "the machine's own /run was written to");
    }

    [Fact]
    public void Where_nothing_is_missing_nothing_is_touched()
    {
        Ready();
        using var node = new NodeProcess("");
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held) };
        var before = node.Mounts;
        Assert.Equal(0, Prepare(agent, node));
        Assert.Equal(before, node.Mounts);
        Assert.StartsWith("installed ", agent.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sys_admin")]
    [InlineData("sys_chroot")]
    [InlineData("sys_ptrace")]
    [InlineData("sys_admin", "sys_chroot", "sys_ptrace")]
    public void Each_capability_that_is_missing_is_named_and_nothing_is_touched(params string[] missing)
    {
        Ready();
        using var node = new NodeProcess(NoBpffs);
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held.Except(missing)) };
        var before = node.Mounts;
        Assert.Equal(1, Prepare(agent, node));
        foreach (var capability in Held)
            Assert.Equal(missing.Contains(capability),
                agent.Output.Contains($"CAP_{capability.ToUpperInvariant()} is missing: needed to ", StringComparison.Ordinal));
        Assert.Equal(before, node.Mounts);
        Assert.False(Directory.Exists(agent["bin"]));
    }

    [Fact]
    public void Wrong_options_are_all_named_and_nothing_is_touched()
    {
        Ready();
        using var node = new NodeProcess(NoBpffs);
        using var agent = new AgentProcess();
        var before = node.Mounts;
        Assert.Equal(2, agent.RunToEnd("prepare", "--host-proc", agent["nothing"], "--cni-bin-dir", agent["bin"], "--cni-plugin",
            "/no/plugin", "--mtu", "many", "--bpffs-root", "pins"));
        Assert.All(["--host-proc", "--cni-plugin", "--mtu", "--bpffs-root"],
            name => Assert.Contains(name + ": ", agent.Output, StringComparison.Ordinal));
        Assert.Equal(before, node.Mounts);
        Assert.False(Directory.Exists(agent["bin"]));
    }

    [Fact]
    public void Without_the_nodes_proc_it_says_what_is_missing()
    {
        using var agent = new AgentProcess();
        Assert.Equal(2, agent.RunToEnd("prepare", "--cni-plugin", agent["plugin"]));
        Assert.Contains("--host-proc: is required", agent.Output, StringComparison.Ordinal);
    }

    private static void Ready()
    {
        Requires.Root();
        Requires.Tool("setpriv");
        Requires.Tool("unshare");
    }

    private static int Prepare(AgentProcess agent, NodeProcess node) => agent.RunToEnd(Arguments(agent, node));

    private static string[] Arguments(AgentProcess agent, NodeProcess node) =>
        ["prepare", "--host-proc", node.Proc, "--cni-bin-dir", agent["bin"], "--cni-plugin", agent["plugin"], "--bpffs-root", agent.Bpffs];

    private static Predicate<string> Is(string path, string type) =>
        line => line.Split(' ')[1] == path && line.Split(" - ")[1].StartsWith(type + " ", StringComparison.Ordinal);
}
