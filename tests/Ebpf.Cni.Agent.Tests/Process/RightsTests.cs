using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>What the agent may do, and what it says when it may not: at start, all at once, with nothing touched.</summary>
public class RightsTests
{
    /// <summary>As in the chart.</summary>
    private static readonly string[] Held = ["net_admin", "sys_admin"];

    private const string Node =
        """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}""";

    [Fact]
    public async Task Two_capabilities_are_enough()
    {
        Ready();
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held) };
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        Assert.Equal("1", Forwarding(agent));
        await Eventually.True(() => File.Exists(Path.Combine(agent["net.d"], "05-ebpf-cni.conflist")),
            "the network configuration is written");
    }

    [Theory]
    [InlineData("net_admin")]
    [InlineData("sys_admin")]
    [InlineData("net_admin", "sys_admin")]
    public void Each_that_is_missing_is_named_and_what_for(params string[] missing)
    {
        Ready();
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held.Except(missing)) };
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        Assert.Equal(2, agent.WaitForExit());
        foreach (var capability in Held)
            Assert.Equal(missing.Contains(capability),
                agent.Output.Contains($"CAP_{capability.ToUpperInvariant()} is missing: needed to ", StringComparison.Ordinal));
        NothingIsTouched(agent);
    }

    [Theory]
    [InlineData("--state-dir", "state")]
    [InlineData("--run-dir", "run")]
    [InlineData("--cni-conf-dir", "net.d")]
    [InlineData("--cni-bin-dir", "bin")]
    public void A_directory_that_cannot_be_written_is_named_by_its_option(string option, string directory)
    {
        Ready();
        using var agent = new AgentProcess();
        Directory.CreateDirectory(agent[directory]);
        agent.Launcher = Rights.Mounts(Rights.ReadOnly(agent[directory]));
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        Assert.Equal(2, agent.WaitForExit());
        Assert.Contains($"{option}: {agent[directory]} is on a read-only file system", agent.Output, StringComparison.Ordinal);
        Assert.Single(Lines(agent), l => l.Contains("read-only", StringComparison.Ordinal));
    }

    [Fact]
    public void A_directory_that_is_somebody_elses_is_named_with_the_right_that_would_help()
    {
        Ready();
        using var agent = new AgentProcess { Launcher = Rights.Capabilities(Held) };
        using var api = Api(agent);
        Directory.CreateDirectory(agent["bin"]);
        Chown("65534", agent["bin"]);
        agent.Start(api.Kubeconfig);
        Assert.Equal(2, agent.WaitForExit());
        Assert.Contains($"--cni-bin-dir: {agent["bin"]} is not writable for the user that this process runs as", agent.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_that_is_installed_already_needs_no_directory_to_be_written()
    {
        Ready();
        using var agent = new AgentProcess();
        Directory.CreateDirectory(agent["bin"]);
        File.Copy(agent["plugin"], Path.Combine(agent["bin"], "ebpf-cni"));
        File.SetUnixFileMode(Path.Combine(agent["bin"], "ebpf-cni"), (UnixFileMode)0b111_101_101);
        agent.Launcher = Rights.Mounts(Rights.ReadOnly(agent["bin"]));
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        await Eventually.True(() => File.Exists(Path.Combine(agent["net.d"], "05-ebpf-cni.conflist")),
            "the network configuration is written");
    }

    [Fact]
    public void Settings_that_cannot_be_written_are_a_named_error()
    {
        Ready();
        using var agent = new AgentProcess
            { Launcher = Rights.Mounts("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys") };
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        Assert.Equal(2, agent.WaitForExit());
        Assert.Contains("--sysctl-root: /proc/sys/net/ipv4/ip_forward is on a read-only file system", agent.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_are_written_where_the_option_says_and_are_the_agents_namespaces()
    {
        Ready();
        using var agent = new AgentProcess();
        Directory.CreateDirectory(agent["settings"]);
        // The bind mount is made outside the agent's network namespace: whose settings they are does not depend on who mounted.
        agent.Launcher = Rights.Mounts(
            $"mount --bind /proc/sys/net {agent["settings"]}; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
        using var api = Api(agent);
        agent.Start(api.Kubeconfig, "--sysctl-root", agent["settings"]);
        Assert.Equal("0", Forwarding(agent)); // the control: namespaces are born without
        await agent.Ready();
        await Eventually.True(() => Forwarding(agent) == "1", "the node forwards");
        Assert.Equal("2", agent.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/conf/lo/rp_filter").Trim()));
    }

    [Fact]
    public void A_container_without_a_bpffs_of_the_nodes_is_refused()
    {
        Ready();
        using var agent = new AgentProcess
        {
            // a process namespace of its own is what makes it a container to the agent
            Launcher = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "sh", "-ec",
                "umount -l /sys/fs/bpf; exec \"$@\"", "sh"],
        };
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        Assert.Equal(2, agent.WaitForExit());
        Assert.Contains($"--bpffs-root: {agent.Bpffs} is not in a bpffs", agent.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_missing_of_what_is_held()
    {
        var held = new Capabilities(1UL << (int)Capability.NetAdmin | 1UL << (int)Capability.SysAdmin);
        Assert.Empty(RightsCheck.Missing(held));
        Assert.Equal(RightsCheck.Needed.Length, RightsCheck.Missing(default).Count());
    }

    private static void Ready()
    {
        Requires.Root();
        Requires.Tool("setpriv");
        Requires.Tool("unshare");
    }

    private static SmallApi Api(AgentProcess agent) => new(agent.Namespace, new() { ["nodes"] = Node });

    private static string Forwarding(AgentProcess agent) =>
        agent.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim());

    private static string[] Lines(AgentProcess agent) => agent.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static void NothingIsTouched(AgentProcess agent) =>
        Assert.False(Directory.Exists(agent.Bpffs) || Directory.Exists(agent["state"]) || Directory.Exists(agent["run"])
            || Directory.Exists(agent["net.d"]));

    private static void Chown(string user, string path)
    {
        using var chown = System.Diagnostics.Process.Start("chown", [user, path]);
        chown.WaitForExit();
        Assert.Equal(0, chown.ExitCode);
    }
}
