using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.EndToEnd.Tests.Runtime;
using Ebpf.Cni.Testing;
using Grpc.Core;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>containerd and runc run the image with the rights and mounts of deploy/ebpf-cni.yaml, and no others.</summary>
public sealed class ImageTests(ImageCluster cluster, ITestOutputHelper output) : IClassFixture<ImageCluster>
{
    private RuntimeCluster Runtime => cluster.Runtime;

    [Fact]
    public async Task The_chart_installs_an_agent_that_serves_pods_and_services()
    {
        Assert.True(Runtime.Cluster.Nodes.Count > 1 && cluster.Pod.OnTheNodesNetwork);
        Uninstall();
        Assert.DoesNotContain(("/sys/fs/bpf", "bpf"), cluster.First.Mounts); // the control
        var (prepared, said) = await cluster.EndAsync(await cluster.StartAsync("prepare"), "prepare");
        Assert.True(prepared == 0, said);
        Assert.Contains("installed /opt/cni/bin/ebpf-cni", said, StringComparison.Ordinal);
        Assert.Contains("mounted a bpffs at /sys/fs/bpf", said, StringComparison.Ordinal);
        Assert.Contains(("/sys/fs/bpf", "bpf"), cluster.First.Mounts);
        Assert.True(File.Exists(Plugin));

        var clock = Stopwatch.StartNew();
        var agent = await cluster.StartAsync("agent");
        await Eventually.True(cluster.IsReadyAsync, "the agent in the container is ready");
        var ready = clock.Elapsed;
        var process = await cluster.ProcessAsync(agent);
        output.WriteLine($"figure: agent in its container: ready {ready.TotalMilliseconds:0} ms after it was asked for, "
            + $"{Status(process, "VmRSS")} resident");
        ItHasNoOtherRights(process);
        Assert.Contains("watching https://", cluster.Log("agent"), StringComparison.Ordinal);

        await Eventually.True(async () => (await Runtime.Cri.ConditionAsync("NetworkReady")).Status,
            "containerd has the network configuration");
        var sandbox = await Runtime.RunAsync("served");
        Assert.Equal(sandbox.Addresses, Runtime.AddressesInTheAgent(sandbox.Id));
        await Runtime.Cluster.ApplyAsync(Service(sandbox));
        await Eventually.True(async () => (await AskedAsync("a1", sandbox)).All(a => a.Failures.Count == 0),
            "the Service is known on node-a");
        await Eventually.True(async () => (await AskedAsync("b1", sandbox)).All(a => a.Failures.Count == 0),
            "the Service is known on node-b");
        foreach (var (own, web, service) in sandbox.Addresses.Zip(await Runtime.ServiceAsync("web"), await Runtime.ServiceAsync("served")))
        {
            var family = own.AddressFamily;
            var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => Runtime.AskFromAsync(sandbox, "tcp", web, 80)));
            Assert.Equal([$"a1 node-a {own}", $"b1 node-b {own}"], answers.Distinct().Order());
            await Answered($"served container {Runtime.PodAddress("a1", family)}", "a1", service);
            await Answered($"served container {Runtime.PodAddress("b1", family)}", "b1", service);
        }

        await Runtime.Cri.StopContainerAsync(agent);
        var (stopped, log) = await cluster.EndAsync(agent, "agent");
        Assert.True(stopped == 0, log);
        Assert.DoesNotContain(" ERR ", log, StringComparison.Ordinal);
        Assert.DoesNotContain(" WRN ", log, StringComparison.Ordinal);
        // what pins hold lives on: they are the node's, not the container's
        var known = await Runtime.ServiceAsync("served");
        await Answered($"served container {Runtime.PodAddress("b1", AddressFamily.InterNetwork)}", "b1", known[0]);

        agent = await cluster.StartAsync("agent");
        await Eventually.True(cluster.IsReadyAsync, "its successor is ready");
        await Answered($"served container {Runtime.PodAddress("a1", AddressFamily.InterNetwork)}", "a1", known[0]);
        await Runtime.EndAsync(sandbox);
        Assert.Empty(Runtime.AddressesInTheAgent(sandbox.Id));
        await Runtime.Cri.StopContainerAsync(agent);
        await cluster.EndAsync(agent, "agent");
    }

    /// <summary>Every capability that the manifest gives, one after the other.</summary>
    [Fact]
    public async Task Each_capability_is_missed_by_name()
    {
        Assert.NotNull(Runtime.Cluster);
        foreach (var (container, code) in new[] { ("prepare", 1), ("agent", 2) })
        {
            var capabilities = cluster.Pod.Capabilities(container).ToList();
            Assert.NotEmpty(capabilities);
            foreach (var capability in capabilities)
            {
                var (ended, log) = await cluster.EndAsync(await cluster.StartAsync(container, capability), container);
                Assert.True(ended == code && log.Contains($"CAP_{capability} is missing: needed to ", StringComparison.Ordinal),
                    $"{container} without {capability}: {ended}, {log}");
                foreach (var other in capabilities.Where(c => c != capability))
                    Assert.DoesNotContain($"CAP_{other} is missing", log, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("state", "--state-dir: ", "read-only file system")]
    [InlineData("run", "--run-dir: ", "read-only file system")]
    [InlineData("cni-conf", "--cni-conf-dir: ", "read-only file system")]
    [InlineData("cni-bin", "--cni-bin-dir: ", "read-only file system")]
    [InlineData("bpffs", "--bpffs-root: ", "is not in a bpffs")]
    [InlineData("cgroup", "--cgroup-root: ", "is not a cgroup v2 directory")]
    [InlineData("sysctl", "--sysctl-root: ", "is not the node's /proc/sys/net")]
    [InlineData("config", "--config ", "/etc/ebpf-cni/agent.json")]
    public async Task Each_mount_is_missed_by_the_name_of_its_option(string mount, string option, string why)
    {
        Assert.NotNull(Runtime.Cluster);
        Assert.Contains(mount, cluster.Pod.Mounts("agent"));
        var (code, log) = await cluster.EndAsync(await cluster.StartAsync("agent", mount), "agent");
        Assert.True(code == 2 && log.Split('\n')
            .Any(l => l.StartsWith(option, StringComparison.Ordinal) && l.Contains(why, StringComparison.Ordinal)), $"{code}: {log}");
    }

    [Fact]
    public async Task The_mount_of_pods_namespaces_is_missed_when_the_first_pod_comes()
    {
        Assert.NotNull(Runtime.Cluster);
        var agent = await cluster.StartAsync("agent", "netns");
        await Eventually.True(cluster.IsReadyAsync, "the agent is ready: it knows of no pods yet");
        await Eventually.True(async () => (await Runtime.Cri.ConditionAsync("NetworkReady")).Status,
            "containerd has the network configuration");
        var refused = await Assert.ThrowsAsync<RpcException>(() => Runtime.RunAsync("unseen"));
        Assert.Contains("the agent does not see ", refused.Status.Detail, StringComparison.Ordinal);
        await Runtime.Cri.StopContainerAsync(agent);
        await cluster.EndAsync(agent, "agent");
    }

    [Theory]
    [InlineData("host-proc", 2, "--host-proc: /host/proc has no process 1")]
    [InlineData("cni-bin", 1, "--cni-bin-dir: ")]
    [InlineData("config", 2, "--config ")]
    public async Task Each_mount_of_prepare_is_missed_too(string mount, int code, string error)
    {
        Assert.NotNull(Runtime.Cluster);
        Assert.Contains(mount, cluster.Pod.Mounts("prepare"));
        var (ended, log) = await cluster.EndAsync(await cluster.StartAsync("prepare", mount), "prepare");
        Assert.True(ended == code && log.Contains(error, StringComparison.Ordinal), $"{ended}: {log}");
    }

    /// <summary>Every mount of the manifest is in a test above.</summary>
    [Fact]
    public void No_mount_is_forgotten()
    {
        Assert.NotNull(Runtime.Cluster);
        Assert.Equal(["bpffs", "cgroup", "cni-bin", "cni-conf", "config", "netns", "run", "state", "sysctl"],
            cluster.Pod.Mounts("agent").Order(StringComparer.Ordinal));
        Assert.Equal(["cni-bin", "config", "host-proc"], cluster.Pod.Mounts("prepare").Order(StringComparer.Ordinal));
    }

    private string Plugin => Path.Combine(Runtime.Node.Directories.CniBinaries, "ebpf-cni");

    /// <summary>What the sandbox's agent has installed is not what is tested.</summary>
    private void Uninstall()
    {
        File.Delete(Plugin);
        foreach (var file in Directory.GetFiles(Runtime.Node.Directories.CniConfiguration))
            File.Delete(file);
    }

    private void ItHasNoOtherRights(int process)
    {
        var numbers = new Dictionary<string, int> { ["NET_ADMIN"] = 12, ["SYS_ADMIN"] = 21 };
        var expected = cluster.Pod.Capabilities("agent").Aggregate(0UL, (set, c) => set | 1UL << numbers[c]);
        foreach (var set in (string[])["CapEff", "CapPrm", "CapBnd"])
            Assert.Equal(expected, ulong.Parse(Status(process, set), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Equal("1", Status(process, "NoNewPrivs"));
        Assert.Equal("2", Status(process, "Seccomp")); // a filter
        var mounts = File.ReadLines($"/proc/{process}/mountinfo").Select(l => l.Split(' ')).GroupBy(f => f[4])
            .ToDictionary(g => g.Key, g => g.Last()[5].Split(',')[0]);
        Assert.Equal("ro", mounts["/"]);
        Assert.Equal("ro", mounts["/proc/sys"]);
        Assert.Equal("ro", mounts["/host/sys/fs/cgroup"]);
        Assert.NotEqual(Directory.ResolveLinkTarget("/proc/self/ns/pid", false)!.Name,
            Directory.ResolveLinkTarget($"/proc/{process}/ns/pid", false)!.Name);
    }

    private async Task Answered(string answer, string pod, System.Net.IPAddress service)
    {
        var asked = await Runtime.AskAsync(pod, "tcp", service, 80);
        Assert.True(asked.Failures.Count == 0 && asked.Answers.Keys.Single() == answer, $"{pod} to {service}: {asked}; expected {answer}");
    }

    private async Task<Asked[]> AskedAsync(string pod, Runtime.Sandbox sandbox) =>
        await Task.WhenAll((await Runtime.ServiceAsync(sandbox.Name)).Select(address => Runtime.AskAsync(pod, "tcp", address, 80)));

    private static string Status(int process, string name) =>
        File.ReadLines($"/proc/{process}/status").Single(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..]
            .Trim();

    /// <summary>A Service in front of a container that no controller of the sandbox knows.</summary>
    private static string Service(Runtime.Sandbox sandbox) =>
        "apiVersion: v1\nkind: Service\nmetadata: {name: served}\nspec: {ipFamilyPolicy: RequireDualStack, ports: [{port: 80, targetPort: "
            + "8080}]}\n" + string.Concat(sandbox.Addresses.Select(a =>
            $"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: "
            + $"served-{a.AddressFamily.ToString().ToLowerInvariant()}, labels: {{kubernetes.io/service-name: served}}}}\n"
            + $"addressType: {(a.AddressFamily == AddressFamily.InterNetwork ? "IPv4" : "IPv6")}\nports: [{{port: 8080, protocol: "
                + $"TCP}}]\nendpoints: [{{addresses: [\"{a}\"], conditions: {{ready: true}}, nodeName: node-a}}]\n"));
}
