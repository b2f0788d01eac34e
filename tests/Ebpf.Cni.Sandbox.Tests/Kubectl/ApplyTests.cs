using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

public sealed class ApplyTests : KubectlTest
{
    private static readonly string Example = Path.Combine(Repository.Root, "examples", "hello.yaml");

    [Fact]
    public async Task Apply_get_scale_and_delete_work_on_the_example()
    {
        Assert.Contains("service/hello created", await Kubectl("apply", "-f", Example), StringComparison.Ordinal);
        Assert.Contains("service/hello unchanged", await Kubectl("apply", "-f", Example), StringComparison.Ordinal);
        Assert.Empty(await Kubectl("diff", "-f", Example));
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods).Count(IsBound) == 4, "the pods are there");

        var wide = await Kubectl("get", "nodes,pods,svc,endpointslices,deploy", "-o", "wide");
        string[] columns = ["INTERNAL-IP", "NOMINATED NODE", "CLUSTER-IP", "ADDRESSTYPE", "UP-TO-DATE"];
        string[] cells = ["python:3-slim", "80/TCP,81/UDP", "app=web"];
        Assert.All(columns.Concat(cells), part => Assert.Contains(part, wide, StringComparison.Ordinal));
        Assert.Contains("10.96.0.", await Kubectl("get", "svc", "hello", "-o", "jsonpath={.spec.clusterIPs}"), StringComparison.Ordinal);

        await Kubectl("scale", "deployment", "web", "--replicas=5");
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods).Count == 6, "five web pods and the client");
        await Kubectl("scale", "deployment", "web", "--replicas=0");
        await Eventually.True(() => Get(ResourceTypes.Deployments, "web").Number("status", "replicas") == 0, "no web pods");
        Assert.Contains("0/0", await Kubectl("get", "deploy", "web"), StringComparison.Ordinal);

        Assert.Contains("IPv4,IPv6", await Kubectl("describe", "svc", "hello"), StringComparison.Ordinal);
        Assert.Contains("deleted", await Kubectl("delete", "svc", "hello"), StringComparison.Ordinal);
        Assert.Null(Server.Store.Get(ResourceTypes.Services, "default", "hello"));
    }

    private static bool IsBound(StoredObject pod) => pod.Json.Text("spec", "nodeName") is not null;

    [Fact]
    public async Task A_changed_manifest_is_shown_by_diff_and_merged_by_the_keys_of_its_lists()
    {
        await Kubectl("apply", "-f", Example);
        var changed = Path.Combine(Scratch, "changed.yaml");
        // without the port 81: what the manifest had before and has no longer goes
        await File.WriteAllLinesAsync(changed, File.ReadLines(Example).Where(line => !line.Contains("port: 81", StringComparison.Ordinal)));
        var (code, difference, _) = await Program.RunAsync(["diff", "-f", changed]);
        Assert.Equal(1, code);
        Assert.Contains("-  - name: echo", difference, StringComparison.Ordinal);
        Assert.Contains("service/hello configured", await Kubectl("apply", "-f", changed), StringComparison.Ordinal);
        Assert.Equal(["http"], Get(ResourceTypes.Services, "hello").Items("spec", "ports").Select(p => p.Text("name")));
    }

    [Fact]
    public async Task Server_side_apply_label_annotate_patch_edit_and_set_work()
    {
        Assert.Contains("serverside-applied", await Kubectl("apply", "--server-side", "-f", Example), StringComparison.Ordinal);
        Assert.Empty(await Kubectl("diff", "-f", Example)); // the client's patch has an empty map of annotations
        await Kubectl("label", "svc", "hello", "tier=before");
        await Kubectl("annotate", "svc", "hello", "a=b");
        await Kubectl("patch", "svc", "hello", "-p", """{"spec":{"internalTrafficPolicy":"Local"}}""");
        await Kubectl("patch", "svc", "hello", "--type=json", "-p", """[{"op":"replace","path":"/spec/ports/0/port","value":8000}]""");
        await Kubectl("patch", "svc", "hello", "--type=merge", "-p", """{"metadata":{"annotations":{"c":"d"}}}""");
        await Kubectl("edit", "svc", "hello");
        var service = Get(ResourceTypes.Services, "hello");
        Assert.Equal("after", service.Text("metadata", "labels", "tier"));
        Assert.Equal(("b", "d"), (service.Text("metadata", "annotations", "a"), service.Text("metadata", "annotations", "c")));
        Assert.Equal("Local", service.Text("spec", "internalTrafficPolicy"));
        Assert.Equal([8000, 81], service.Items("spec", "ports").Select(p => p.Number("port")));
        Assert.Contains("hello", await Kubectl("get", "svc", "-l", "tier=after", "-o", "name"), StringComparison.Ordinal);

        await Kubectl("set", "env", "deploy/web", "X=y");
        await Kubectl("set", "image", "deploy/web", "web=python:3");
        var container = Get(ResourceTypes.Deployments, "web").Items("spec", "template", "spec", "containers").Single();
        Assert.Equal("python:3", container.Text("image"));
        Assert.Equal(["NODE", "POD", "X"], container.Items("env").Select(e => e.Text("name")).Order(StringComparer.Ordinal));
    }
}
