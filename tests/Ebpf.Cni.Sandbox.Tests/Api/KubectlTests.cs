using System.Diagnostics;
using Ebpf.Cni.Sandbox.Controllers;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>The stock kubectl, with no flag that a real cluster would not need.</summary>
public sealed class KubectlTests : ApiTest
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ebpf-cni-kubectl").FullName;
    private ControllerSet _controllers = null!;

    public override async ValueTask InitializeAsync()
    {
        Requires.Tool("kubectl");
        await base.InitializeAsync();
        await Server.WriteKubeconfigAsync(_directory + "/config");
        Server.Store.Create(ResourceTypes.Nodes, (System.Text.Json.Nodes.JsonObject)System.Text.Json.Nodes.JsonNode.Parse("""{"metadata":{"name":"n1"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}""")!);
        _controllers = ControllerSet.Start(Server.Resources, NullLogger.Instance);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_controllers is not null)
        {
            await _controllers.DisposeAsync();
            await base.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Apply_get_scale_and_delete_work_on_the_example()
    {
        var manifest = Path.Combine(Repository.Root, "examples", "hello.yaml");
        Assert.Contains("service/hello created", await Kubectl("apply", "-f", manifest), StringComparison.Ordinal);
        Assert.Contains("service/hello unchanged", await Kubectl("apply", "-f", manifest), StringComparison.Ordinal);
        await Kubectl("diff", "-f", manifest);
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods).Count(p => p.Json.Text("spec", "nodeName") is not null) == 4, "the pods are there");

        var wide = await Kubectl("get", "nodes,pods,svc,endpointslices,deploy", "-o", "wide");
        foreach (var expected in (string[])["INTERNAL-IP", "NOMINATED NODE", "CLUSTER-IP", "ADDRESSTYPE", "UP-TO-DATE", "python:3-slim", "80/TCP,81/UDP", "app=web"])
            Assert.Contains(expected, wide, StringComparison.Ordinal);
        Assert.Contains("10.96.0.", await Kubectl("get", "svc", "hello", "-o", "jsonpath={.spec.clusterIPs}"), StringComparison.Ordinal);

        await Kubectl("scale", "deployment", "web", "--replicas=5");
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods).Count == 6, "five web pods and the client");
        await Kubectl("scale", "deployment", "web", "--replicas=0");
        Assert.Contains("0/0", await Kubectl("get", "deploy", "web"), StringComparison.Ordinal);

        Assert.Contains("IPv4,IPv6", await Kubectl("describe", "svc", "hello"), StringComparison.Ordinal);
        Assert.Contains("deleted", await Kubectl("delete", "svc", "hello"), StringComparison.Ordinal);
        Assert.Null(Server.Store.Get(ResourceTypes.Services, "default", "hello"));
    }

    [Fact]
    public async Task Server_side_apply_label_annotate_patch_and_set_work()
    {
        var manifest = Path.Combine(Repository.Root, "examples", "hello.yaml");
        Assert.Contains("serverside-applied", await Kubectl("apply", "--server-side", "-f", manifest), StringComparison.Ordinal);
        await Kubectl("label", "svc", "hello", "tier=front");
        await Kubectl("annotate", "svc", "hello", "a=b");
        await Kubectl("patch", "svc", "hello", "-p", """{"spec":{"internalTrafficPolicy":"Local"}}""");
        await Kubectl("set", "env", "deploy/web", "X=y");
        var service = Server.Resources.Get(ResourceTypes.Services, "default", "hello").Json;
        Assert.Equal(("front", "b", "Local"), (service.Text("metadata", "labels", "tier"), service.Text("metadata", "annotations", "a"), service.Text("spec", "internalTrafficPolicy")));
        Assert.Equal(2, service.Items("spec", "ports").Count());
        Assert.Contains("hello", await Kubectl("get", "svc", "-l", "tier=front", "-o", "name"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_follows_a_watch()
    {
        await Kubectl("apply", "-f", Path.Combine(Repository.Root, "examples", "hello.yaml"));
        var waiting = Kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=30s");
        await Eventually.True(() => Server.Misbehaviour.OpenWatches > 0 || waiting.IsCompleted, "kubectl watches");
        Server.Store.Update(ResourceTypes.Pods, "default", "client", p =>
        {
            p["status"] = System.Text.Json.Nodes.JsonNode.Parse("""{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}""");
            return p;
        });
        Assert.Contains("condition met", await waiting, StringComparison.Ordinal);
    }

    private async Task<string> Kubectl(params string[] arguments)
    {
        var start = new ProcessStartInfo("kubectl", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["KUBECONFIG"] = _directory + "/config";
        start.Environment["HOME"] = _directory;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(process.ExitCode == 0, $"kubectl {string.Join(' ', arguments)}: {await error}{await output}");
        return await output;
    }
}
