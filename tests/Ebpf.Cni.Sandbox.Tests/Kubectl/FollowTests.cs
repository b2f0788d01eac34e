using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>Verbs that wait for something, or go on printing.</summary>
public sealed class FollowTests : KubectlTest
{
    private static readonly string Example = Path.Combine(Repository.Root, "examples", "hello.yaml");

    [Fact]
    public async Task Wait_get_and_events_follow_a_watch()
    {
        var waiting = Kubectl("wait", "--for=create", "configmap/late", "--timeout=60s");
        Make("late");
        Assert.Contains("condition met", await waiting, StringComparison.Ordinal);
        await Program.UntilLineAsync(
            line => line.StartsWith("later ", StringComparison.Ordinal), () => Make("later"), "get", "configmaps", "-w");

        await Kubectl("apply", "-f", Example);
        await Kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s");
        await Kubectl("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/web", "--timeout=60s");
        var deletion = Kubectl("wait", "--for=delete", "service/hello", "--timeout=60s");
        await Kubectl("delete", "service", "hello");
        await deletion;

        var events = await Kubectl("events", "--for", "pod/client");
        Assert.Contains("Successfully assigned default/client to n1", events, StringComparison.Ordinal);
        Assert.Contains("ScalingReplicaSet", await Kubectl("get", "events"), StringComparison.Ordinal);
        await Program.UntilLineAsync(
            line => line.Contains("to 4", StringComparison.Ordinal),
            () => Server.Store.Update(ResourceTypes.Deployments, "default", "web", d =>
            {
                d.Child("spec")["replicas"] = 4;
                return d;
            }),
            "events", "-w");
    }

    [Fact]
    public async Task Rollouts_restart_are_waited_for_and_go_back()
    {
        await Kubectl("apply", "-f", Example);
        await RolledOutAsync("deployment/web");
        var before = Server.Store.List(ResourceTypes.Pods, "default").Select(p => p.Json.Uid()).ToHashSet();
        await Kubectl("rollout", "restart", "deployment/web");
        await RolledOutAsync("deployment/web");
        var web = Server.Store.List(ResourceTypes.Pods, "default").Where(p => p.Json.Text("metadata", "labels", "app") == "web");
        Assert.Equal(3, web.Count(p => !before.Contains(p.Json.Uid())));
        Assert.Contains("2", await Kubectl("rollout", "history", "deployment/web"), StringComparison.Ordinal);
        await Kubectl("set", "image", "deployment/web", "web=other");
        await Kubectl("rollout", "undo", "deployment/web");
        var container = Get(ResourceTypes.Deployments, "web").Items("spec", "template", "spec", "containers").Single();
        Assert.Equal("python:3-slim", container.Text("image"));

        await Kubectl("apply", "-f", Path.Combine(Repository.Root, "deploy", "ebpf-cni.yaml"));
        await RolledOutAsync("ds/ebpf-cni", "kube-system");
        await Kubectl("-n", "kube-system", "rollout", "restart", "ds/ebpf-cni");
        await RolledOutAsync("ds/ebpf-cni", "kube-system");
    }

    [Fact]
    public async Task Deleting_waits_until_the_objects_are_gone()
    {
        await Kubectl("create", "namespace", "shop");
        await Kubectl("-n", "shop", "run", "client", "--image=busybox", "--", "sleep", "1d");
        await Kubectl("wait", "-n", "shop", "--for=condition=Ready", "pod/client", "--timeout=60s");
        Assert.Contains("deleted", await Kubectl("-n", "shop", "delete", "pod", "client"), StringComparison.Ordinal);
        await Kubectl("-n", "shop", "create", "deployment", "web", "--image=busybox");
        await Kubectl("-n", "shop", "delete", "deployment", "--all");
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods, "shop").Count == 0, "its pods go with it");
        await Kubectl("-n", "shop", "create", "configmap", "a");
        await Kubectl("delete", "namespace", "shop");
        Assert.Null(Server.Store.Get(ResourceTypes.ConfigMaps, "shop", "a"));
        Assert.Contains("not found", (await Program.RunAsync(["delete", "namespace", "shop"])).Errors, StringComparison.Ordinal);
    }

    private async Task RolledOutAsync(string workload, string ns = "default")
    {
        var status = await Kubectl("-n", ns, "rollout", "status", workload, "--timeout=60s");
        Assert.Contains("successfully rolled out", status, StringComparison.Ordinal);
    }
}
