using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Cluster;
using Ebpf.Cni.Sandbox.Tests.Kubectl;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubelet;

/// <summary>A node without an agent, whose CNI plugin is a script: pods from their binding to their end.</summary>
public sealed class KubeletTests : IAsyncLifetime
{
    private SandboxCluster _cluster = null!;

    private SandboxNode Node => _cluster.Nodes["node-a"];

    private ApiClient Client => _cluster.Client;

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        _cluster = await SandboxCluster.StartAsync(new SandboxOptions { Name = "t-kubelet", Nodes = 1 });
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is null)
            return;
        await _cluster.DisposeAsync();
        Assert.False(await SandboxCluster.CleanUpAsync("t-kubelet"), "disposal left something to clean up");
    }

    [Fact]
    public async Task A_node_is_ready_once_it_has_a_network_configuration()
    {
        await Client.WaitAsync(ResourceTypes.Nodes, "", null, nodes => nodes.Count == 1 && nodes[0].Condition("Ready") == "False",
            "the node registers, not ready");
        FakeCni.Install(Node);
        var ready = await Client.WaitAsync(ResourceTypes.Nodes, "", null, nodes => nodes[0].Condition("Ready") == "True",
            "the node is ready");
        Assert.Equal(["10.244.1.0/24", "fd00:10:244:1::/64"], ready[0].Texts("spec", "podCIDRs"));
        Assert.Equal(["172.30.0.11", "fd00:30::11", "node-a"], ready[0].Items("status", "addresses").Select(a => a.Text("address")));
    }

    [Fact]
    public async Task A_pod_gets_a_network_runs_answers_its_probe_logs_and_goes_without_a_trace()
    {
        FakeCni.Install(Node);
        await _cluster.ApplyAsync(Server);
        var pod = Assert.Single(await _cluster.WaitForPodsReady("app=server", 1));
        Assert.Equal("Running", pod.Text("status", "phase"));
        Assert.Equal(["10.99.0.2", "fd99::2"], pod.Items("status", "podIPs").Select(ip => ip.Text("ip")));

        var asked = await _cluster.ExecOnNodeAsync("node-a", ["curl", "-s", "http://10.99.0.2:8080/"]);
        Assert.Equal("server node-a 10.99.0.2,fd99::2 172.30.0.11 $(UNKNOWN) $(GREETING)", asked.ThrowIfFailed().Output);
        var inside = await _cluster.ExecAsync("server", ["sh", "-c", "echo $GREETING; ip -4 -o addr show eth0; cat /proc/self/cgroup"]);
        Assert.Contains("hello server", inside.ThrowIfFailed().Output, StringComparison.Ordinal);
        Assert.Contains("10.99.0.2/24", inside.Output, StringComparison.Ordinal);
        Assert.Contains($"/node-a/pods/{pod.Uid()}/exec", inside.Output, StringComparison.Ordinal);
        var log = ApiClient.PathOf(ResourceTypes.Pods, "default", "server", "log");
        Assert.Equal("serving\n", await Client.TextAsync(log));

        await Client.DeleteAsync(ResourceTypes.Pods, "default", "server");
        await Client.WaitAsync(ResourceTypes.Pods, "default", null, pods => pods.Count == 0, "the pod is gone");
        var calls = FakeCni.Calls(Node);
        Assert.Equal(["ADD", "DEL"], calls.Select(call => call[..3]));
        Assert.All(calls, call =>
            Assert.Contains($"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=server;", call, StringComparison.Ordinal));
        Assert.All(calls, call =>
            Assert.Contains("\"note\":\"mine\",\"name\":\"fake\",\"cniVersion\":\"1.0.0\"", call, StringComparison.Ordinal));
        Assert.Contains("\"prevResult\":{", calls[1], StringComparison.Ordinal);
        Assert.Equal(3, Directory.GetFiles("/run/netns", "ebpf-cni-sandbox-t-kubelet_*").Length); // the fabric, outside, the node
        Assert.Empty(Directory.GetDirectories(Path.Combine(Node.CgroupPath, "pods")));
    }

    [Fact]
    public async Task Kubectl_runs_commands_in_a_pod_copies_files_follows_its_log_and_reaches_its_ports()
    {
        Requires.Tool("kubectl");
        FakeCni.Install(Node);
        await _cluster.ApplyAsync(Server);
        var pod = Assert.Single(await _cluster.WaitForPodsReady("app=server", 1));
        using var kubectl = new KubectlProgram(_cluster.KubeconfigPath);
        const string look = "echo $GREETING; ip -4 -o addr show eth0; cat /proc/self/cgroup";
        var inside = await kubectl.OutputAsync("exec", "server", "--", "sh", "-c", look);
        Assert.Contains("hello server", inside, StringComparison.Ordinal);
        Assert.Contains("10.99.0.2/24", inside, StringComparison.Ordinal);
        Assert.Contains($"/node-a/pods/{pod.Uid()}/", inside, StringComparison.Ordinal);
        Assert.Equal(127, (await kubectl.RunAsync(["exec", "server", "--", "no-such-program"])).Code);
        const string ask = "kubectl exec -it server -- sh -c 'test -t 1 && echo $TERM from $GREETING'";
        using (var terminal = kubectl.Begin("script", ["-qec", ask, "/dev/null"]))
            Assert.Contains("xterm from hello server", await terminal.StandardOutput.ReadToEndAsync(), StringComparison.Ordinal);

        using (var forward = await kubectl.ForwardAsync("pod/server", ":8080"))
        using (var http = new HttpClient())
        {
            var answer = await http.GetStringAsync(new Uri($"http://127.0.0.1:{forward.Port}/"));
            Assert.StartsWith("server node-a", answer, StringComparison.Ordinal);
        }


        // a command that still runs ends with its container
        using var running = kubectl.Begin("kubectl", ["exec", "server", "--", "sh", "-c", "echo here; sleep 1d"]);
        Assert.Equal("here", await running.StandardOutput.ReadLineAsync());
        var following = kubectl.RunAsync(["logs", "-f", "server"]);
        await kubectl.OutputAsync("delete", "pod", "server");
        Assert.Contains("serving", (await following).Output, StringComparison.Ordinal);
        await running.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Empty(Directory.GetDirectories(Path.Combine(Node.CgroupPath, "pods")));
    }

    [Fact]
    public async Task A_plugin_that_fails_is_asked_again_and_told_of_in_an_event()
    {
        FakeCni.Install(Node);
        FakeCni.Fail(Node, true);
        await _cluster.ApplyAsync(Server);
        await Client.WaitAsync(
            ResourceTypes.Events, "default", null,
            events => events.Any(e => e.Text("reason") == "FailedCreatePodSandBox"
                && e.Text("message")!.Contains("try again later as the test wants", StringComparison.Ordinal)),
            "an event carries the plugin's error");
        FakeCni.Fail(Node, false);
        await _cluster.WaitForPodsReady("app=server", 1);
    }

    [Fact]
    public async Task A_command_that_ends_is_started_again_or_not_as_the_policy_says()
    {
        FakeCni.Install(Node);
        await _cluster.ApplyAsync(Pod("again", "Always", "exit 3"));
        await _cluster.ApplyAsync(Pod("good", "OnFailure", "exit 0"));
        await _cluster.ApplyAsync(Pod("bad", "Never", "echo first; echo last words; exit 3"));
        await Client.WaitAsync(
            ResourceTypes.Pods, "default", null,
            pods => Find(pods, "again").Items("status", "containerStatuses").Any(c => c.Number("restartCount") >= 1)
                && Find(pods, "good").Text("status", "phase") == "Succeeded" && Find(pods, "bad").Text("status", "phase") == "Failed",
            "one restarts, one succeeded, one failed");
        var log = ApiClient.PathOf(ResourceTypes.Pods, "default", "bad", "log");
        Assert.Equal("first\nlast words\n", await Client.TextAsync(log));
        Assert.Equal("first\nlast words\n", await Client.TextAsync(log + "?tailLines=5"));
        Assert.Equal("last words\n", await Client.TextAsync(log + "?tailLines=1&follow=true")); // ends, for the container has
        Assert.Equal("", await Client.TextAsync(log + "?tailLines=0"));
        Assert.False(Directory.Exists(
            Path.Combine(Node.CgroupPath, "pods", Find(await Client.ListAsync(ResourceTypes.Pods), "bad").Uid(), "main")));
    }

    [Fact]
    public async Task A_deaf_command_is_killed_when_its_grace_is_over_and_a_pod_on_the_nodes_network_needs_no_plugin()
    {
        await _cluster.ApplyAsync(Pod("deaf", "Always", "trap '' TERM; echo up; while :; do sleep 1000; done",
            "hostNetwork: true, terminationGracePeriodSeconds: 1"));
        var pod = Assert.Single(await _cluster.WaitForPodsReady("app=deaf", 1));
        Assert.Equal("172.30.0.11", pod.Text("status", "podIP"));
        await Client.DeleteAsync(ResourceTypes.Pods, "default", "deaf");
        await Client.WaitAsync(ResourceTypes.Pods, "default", null, pods => pods.Count == 0, "the pod is gone");
        Assert.Empty(FakeCni.Calls(Node));
    }

    private static System.Text.Json.Nodes.JsonObject? Find(IReadOnlyList<System.Text.Json.Nodes.JsonObject> pods, string name) =>
        pods.FirstOrDefault(pod => pod.Name() == name);

    private static string Pod(string name, string policy, string command, string more = "terminationGracePeriodSeconds: 1") => $$"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: {{name}}
          labels: {app: "{{name}}"}
        spec:
          {{more.Replace(", ", "\n  ", StringComparison.Ordinal)}}
          nodeName: node-a
          restartPolicy: {{policy}}
          containers:
            - name: main
              command: [sh, -c, "{{command}}"]
        """;

    private const string Server = """
        apiVersion: v1
        kind: Pod
        metadata: {name: server, labels: {app: server}}
        spec:
          nodeName: node-a
          terminationGracePeriodSeconds: 5
          containers:
            - name: main
              image: ignored
              env:
                - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
                - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
                - {name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
                - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
                - {name: GREETING, value: hello $(POD)}
              command: [python3, -u, -c]
              args:
                - |
                  import http.server, os, signal, sys
                  signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
                  answer = " ".join([os.environ["POD"], os.environ["NODE"], os.environ["IPS"], os.environ["HOST"]] + sys.argv[1:]).encode()
                  class Handler(http.server.BaseHTTPRequestHandler):
                      def do_GET(self):
                          self.send_response(200)
                          self.end_headers()
                          self.wfile.write(answer)
                      def log_message(self, *_):
                          pass
                  print("serving")
                  http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
                - $(UNKNOWN)
                - $$(GREETING)
              ports:
                - {name: http, containerPort: 8080}
              readinessProbe:
                httpGet: {path: /, port: http}
                periodSeconds: 1
        """;
}
