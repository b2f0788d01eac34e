using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Install;

/// <summary>The agent's process is what the manifest makes it: nothing more, nothing less.</summary>
public sealed class InstallationTests : IDisposable
{
    /// <summary>From linux/capability.h.</summary>
    private static readonly Dictionary<string, int> Numbers = new()
    {
        ["DAC_OVERRIDE"] = 1, ["NET_ADMIN"] = 12, ["NET_RAW"] = 13, ["SYS_CHROOT"] = 18, ["SYS_PTRACE"] = 19, ["SYS_ADMIN"] = 21,
            ["SYS_RESOURCE"] = 24, ["PERFMON"] = 38, ["BPF"] = 39,
    };

    private readonly FakeArtifacts _artifacts = new();

    public void Dispose() => _artifacts.Dispose();

    [Fact]
    public async Task The_agent_has_exactly_the_manifests_command_environment_and_capabilities()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-install", options => options with { AgentArguments = ["--more", "of this"] });
        var node = cluster.Nodes["node-a"];
        var agent = (await InstallManifest.ReadAsync(_artifacts.Manifest)).Pod.Containers.Single();
        var status = await StatusOf(node.AgentPid!.Value);
        var wanted = agent.Capabilities.Aggregate(0UL, (bits, name) => bits | (1UL << Numbers[name]))
            .ToString("x16", CultureInfo.InvariantCulture);
        Assert.Equal((wanted, wanted, wanted), (status["CapEff"], status["CapPrm"], status["CapBnd"]));
        Assert.Equal(("0000000000000000", "0000000000000000", "1"), (status["CapInh"], status["CapAmb"], status["NoNewPrivs"]));
        // a script's command line begins with its interpreter
        Assert.Equal([.. agent.Command, "--more", "of this"], (await WordsOf(node.AgentPid.Value, "cmdline")).Skip(1));
        Assert.Equal(
            ["EBPF_CNI_NODE_NAME=node-a", "HOME=/root", "HOSTNAME=node-a", "KUBERNETES_SERVICE_HOST=127.0.0.1",
                "KUBERNETES_SERVICE_PORT=6444", "PATH=/opt/ebpf-cni:/usr/bin"],
            (await WordsOf(node.AgentPid.Value, "environ")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Capabilities_that_the_manifest_does_not_name_are_missing_and_named_ones_are_there()
    {
        Requires.Root();
        await ChangeManifest(text => text.Replace("\"NET_ADMIN\",", "", StringComparison.Ordinal)
            .Replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", StringComparison.Ordinal));
        await using var cluster = await StartAsync("t-fewer");
        var status = await StatusOf(cluster.Nodes["node-a"].AgentPid!.Value);
        var effective = ulong.Parse(status["CapEff"], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        Assert.Equal(0UL, effective & (1UL << Numbers["NET_ADMIN"]));
        Assert.NotEqual(0UL, effective & (1UL << Numbers["SYS_ADMIN"])); // the control
        Assert.Equal("0", status["NoNewPrivs"]);
    }

    [Fact]
    public async Task Only_what_the_manifest_mounts_for_writing_can_be_written()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-mounts");
        var pid = cluster.Nodes["node-a"].AgentPid!.Value;
        var agent = (await InstallManifest.ReadAsync(_artifacts.Manifest)).Pod.Containers.Single();
        // as root with all capabilities: it is the mounts that refuse
        foreach (var place in (string[])["/", "/usr", "/etc", "/opt/ebpf-cni", "/run", "/var", "/tmp", "/proc/sys/net/ipv4/ip_forward",
            "/sys"])
            Assert.Contains("Read-only file system", (await InsideAsync(pid, Write(place))).Errors, StringComparison.Ordinal);
        foreach (var mount in agent.Mounts.Where(m => !m.Path.StartsWith("/host/", StringComparison.Ordinal) && m.Path != "/sys/fs/bpf"))
        {
            var ran = await InsideAsync(pid, Write(mount.Path));
            if (mount.ReadOnly)
                Assert.Contains("Read-only file system", ran.Errors, StringComparison.Ordinal);
            else
                ran.ThrowIfFailed(); // the control
        }
        // what is mounted read-only of the kernel's own, and what of it is mounted for writing
        Assert.Contains("Read-only file system", (await InsideAsync(pid, ["mkdir", "/host/sys/fs/cgroup/probe"])).Errors,
            StringComparison.Ordinal);
        (await InsideAsync(pid, ["mkdir", "/sys/fs/bpf/probe"])).ThrowIfFailed();
        Assert.True(Directory.Exists(Path.Combine(Path.GetDirectoryName(cluster.Nodes["node-a"].BpffsRoot)!, "probe")),
            "the node's bpffs is this machine's directory");
        (await InsideAsync(pid, ["sh", "-c", "cat /host/proc/sys/net/ipv4/ip_forward >/host/proc/sys/net/ipv4/ip_forward"]))
            .ThrowIfFailed();
        // of this machine there is nothing to be seen but programs and libraries
        Assert.NotEqual(0, (await InsideAsync(pid, ["ls", Repository.Root])).ExitCode);
        Assert.NotEqual(0, (await InsideAsync(pid, ["ls", "/root"])).ExitCode);

        static string[] Write(string place) => ["sh", "-c", "if [ -d $0 ]; then touch $0/probe && rm $0/probe; else echo 1 >$0; fi", place];
    }

    [Fact]
    public async Task What_is_mounted_on_the_node_later_is_seen_by_the_agent_and_not_by_this_machine()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-propagation");
        var node = cluster.Nodes["node-a"];
        var path = node.NamespacePath + "-later";
        using (var later = Kernel.Namespaces.NetworkNamespace.Create(path))
        {
            // Not looked for before: where this machine's /run/netns is a mount that is shared (`ip netns add` makes it one, and tests
            // beside this one do), it comes by itself.
            node.Mounts.Show(later, path);
            Assert.Contains("nsfs", (await InsideAsync(node.AgentPid!.Value, ["stat", "-f", "-c", "%T", path])).Output,
                StringComparison.Ordinal);
            var inode = (await InsideAsync(node.AgentPid!.Value, ["stat", "-c", "%i", path])).ThrowIfFailed().Output.Trim();
            Assert.Equal($"{later.Inode}", inode);
        }
        Kernel.Namespaces.NetworkNamespace.Remove(path);
        Assert.NotEqual(0, (await InsideAsync(node.AgentPid!.Value, ["stat", path])).ExitCode);

        (await cluster.ExecOnNodeAsync("node-a", ["mount", "-t", "tmpfs", "ours", "/run/netns"])).ThrowIfFailed();
        Assert.Contains("ours", (await InsideAsync(node.AgentPid!.Value, ["cat", "/proc/self/mounts"])).Output, StringComparison.Ordinal);
        Assert.DoesNotContain(File.ReadLines("/proc/self/mounts"), line => line.StartsWith("ours ", StringComparison.Ordinal));
        var work = new SandboxPaths(cluster.Name).WorkDirectory;
        Assert.Contains(work, await File.ReadAllTextAsync($"/proc/{node.AgentPid}/mountinfo"), StringComparison.Ordinal); // the control
        Assert.DoesNotContain(work, await File.ReadAllTextAsync("/proc/self/mountinfo"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("path: /var/lib/ebpf-cni", "path: /var/lib/other", "/var/lib/other")]
    [InlineData("dnsPolicy: Default", "dnsPolicy: None", "spec.dnsPolicy")]
    public async Task A_manifest_that_nodes_cannot_follow_is_refused_and_nothing_is_left(string written, string instead, string name)
    {
        Requires.Root();
        await ChangeManifest(text => text.Replace(written, instead, StringComparison.Ordinal));
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync("t-refused"));
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
        Assert.False(await SandboxCluster.CleanUpAsync("t-refused"));
        Assert.False(Directory.Exists("/var/lib/other"));
    }

    [Fact]
    public async Task Kubectl_installs_replaces_and_removes_agents()
    {
        Requires.Root();
        Requires.Tool("kubectl");
        await using var cluster = await StartAsync("t-kubectl", options => options with { Install = false });
        var node = cluster.Nodes["node-a"];
        Assert.Null(node.AgentPid); // the control
        Assert.Contains("daemonset.apps/ebpf-cni created", await Kubectl(cluster, "apply", "-f", _artifacts.Manifest),
            StringComparison.Ordinal);
        await cluster.Client.WaitAsync(ResourceTypes.Nodes, "", null, nodes => nodes.All(n => n.Condition("Ready") == "True"),
            "the nodes become ready");
        await Kubectl(cluster, "rollout", "status", "-n", "kube-system", "daemonset/ebpf-cni", "--timeout=30s");
        Assert.Contains("unchanged", await Kubectl(cluster, "apply", "-f", _artifacts.Manifest), StringComparison.Ordinal);
        Assert.Matches(@"ebpf-cni +2 +2 +2 +2 +2", await Kubectl(cluster, "get", "ds", "-A"));
        Assert.Contains("starts on node-", await Kubectl(cluster, "logs", "-n", "kube-system", "daemonset/ebpf-cni"),
            StringComparison.Ordinal);
        foreach (var kind in (string[])["clusterrole", "clusterrolebinding"])
            Assert.Contains("ebpf-cni", await Kubectl(cluster, "get", kind, "-o", "name"), StringComparison.Ordinal);
        foreach (var kind in (string[])["configmap", "serviceaccount"])
            Assert.Contains("ebpf-cni", await Kubectl(cluster, "get", kind, "-n", "kube-system", "-o", "name"), StringComparison.Ordinal);

        var before = node.AgentPid;
        await Kubectl(cluster, "rollout", "restart", "-n", "kube-system", "daemonset/ebpf-cni");
        await Kubectl(cluster, "rollout", "status", "-n", "kube-system", "daemonset/ebpf-cni", "--timeout=30s");
        Assert.NotNull(node.AgentPid);
        Assert.NotEqual(before, node.AgentPid);
        Assert.Equal(2, File.ReadLines(Path.Combine(node.Directories.Logs, "prepare.log")).Count()); // a new pod is prepared for again

        await Kubectl(cluster, "delete", "-f", _artifacts.Manifest);
        await Eventually.True(() => node.AgentPid is null, "the agent is gone with its DaemonSet");
        Assert.Equal("ends", File.ReadLines(node.AgentLog).Last());
    }

    [Fact]
    public async Task A_changed_configuration_is_what_the_next_start_reads()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-config");
        var node = cluster.Nodes["node-a"];
        Assert.DoesNotContain("\"hello\"", (await InsideAsync(node.AgentPid!.Value, ["cat", "/etc/ebpf-cni/agent.json"])).Output,
            StringComparison.Ordinal);
        var map = YamlManifests.Parse(await File.ReadAllTextAsync(_artifacts.Manifest)).Single(o => o.Text("kind") == "ConfigMap");
        var data = map.Child("data");
        data["agent.json"] = data.Text("agent.json")!.Replace("{\n", "{\n\"hello\": true,\n", StringComparison.Ordinal);
        await cluster.Client.ApplyAsync(map);
        await node.StopAgentAsync();
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        Assert.Contains("\"hello\"", (await InsideAsync(node.AgentPid!.Value, ["cat", "/etc/ebpf-cni/agent.json"])).Output,
            StringComparison.Ordinal);
    }

    private Task<SandboxCluster> StartAsync(string name, Func<SandboxOptions, SandboxOptions>? change = null)
    {
        var options = new SandboxOptions { Name = name, Artifacts = _artifacts.Path };
        return SandboxCluster.StartAsync(change is null ? options : change(options));
    }

    private async Task ChangeManifest(Func<string, string> change)
    {
        var before = await File.ReadAllTextAsync(_artifacts.Manifest);
        var after = change(before);
        Assert.NotEqual(before, after);
        await File.WriteAllTextAsync(_artifacts.Manifest, after);
    }

    private static async Task<Dictionary<string, string>> StatusOf(int pid) =>
        (await File.ReadAllLinesAsync($"/proc/{pid}/status")).Select(line => line.Split(':', 2))
            .ToDictionary(parts => parts[0], parts => parts[1].Trim());

    private static async Task<string[]> WordsOf(int pid, string file) =>
        (await File.ReadAllTextAsync($"/proc/{pid}/{file}")).Split('\0', StringSplitOptions.RemoveEmptyEntries);

    private static async Task<ExecResult> InsideAsync(int pid, IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo("nsenter", [$"--mount=/proc/{pid}/ns/mnt", $"--net=/proc/{pid}/ns/net", "--", .. command])
            { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new ExecResult(process.ExitCode, output, await errors);
    }

    private static async Task<string> Kubectl(SandboxCluster cluster, params string[] arguments)
    {
        var start = new ProcessStartInfo("kubectl", ["--kubeconfig", cluster.KubeconfigPath, .. arguments])
            { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new ExecResult(process.ExitCode, output, await errors).ThrowIfFailed().Output;
    }
}
