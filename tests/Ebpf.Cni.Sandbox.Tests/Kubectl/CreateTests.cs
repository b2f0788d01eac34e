using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>`create` sends protobuf; `run` and `expose` send JSON.</summary>
public sealed class CreateTests : KubectlTest
{
    [Fact]
    public async Task A_namespace_a_deployment_a_service_and_a_configmap_are_created_as_they_are_typed()
    {
        await Kubectl("create", "namespace", "shop");
        Assert.Equal("Active", Get(ResourceTypes.Namespaces, "shop").Text("status", "phase"));

        await Kubectl("-n", "shop", "create", "deployment", "web", "--image=busybox", "--replicas=2", "--port=8080", "--", "sleep", "1d");
        var deployment = Get(ResourceTypes.Deployments, "web", "shop");
        var container = Assert.Single(deployment.Items("spec", "template", "spec", "containers"));
        Assert.Equal((2, "busybox"), (deployment.Number("spec", "replicas"), container.Text("image")));
        Assert.Equal(8080, container.Items("ports").Single().Number("containerPort"));
        Assert.Equal(["sleep", "1d"], container.Texts("command"));
        Assert.Equal("web", deployment.Text("spec", "selector", "matchLabels", "app"));
        await Eventually.True(() => Server.Store.List(ResourceTypes.Pods, "shop").Count == 2, "its pods are there");

        File.WriteAllBytes(Path.Combine(Scratch, "bytes"), [0, 255, 1]);
        await Kubectl("create", "configmap", "settings", "--from-literal=greeting=hello", "--from-literal=empty=", "--from-file=bytes");
        var map = Get(ResourceTypes.ConfigMaps, "settings");
        Assert.Equal(("hello", "", "AP8B"), (map.Text("data", "greeting"), map.Text("data", "empty"), map.Text("binaryData", "bytes")));
        Assert.Contains("already exists", (await Program.RunAsync(["create", "configmap", "settings"])).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Services_of_every_type_are_created()
    {
        await Kubectl("create", "service", "clusterip", "inner", "--tcp=80:http");
        var inner = Get(ResourceTypes.Services, "inner");
        var port = inner.Items("spec", "ports").Single();
        Assert.Equal((80, "http"), (port.Number("port"), port.Text("targetPort")));
        Assert.StartsWith("10.96.", inner.Text("spec", "clusterIP"), StringComparison.Ordinal);
        await Kubectl("create", "service", "clusterip", "headless", "--clusterip=None");
        Assert.Equal("None", Get(ResourceTypes.Services, "headless").Text("spec", "clusterIP"));
        await Kubectl("create", "service", "nodeport", "outer", "--tcp=80:8080", "--node-port=30080");
        var outer = Get(ResourceTypes.Services, "outer").Items("spec", "ports").Single();
        Assert.Equal((30080, 8080), (outer.Number("nodePort"), outer.Number("targetPort")));
        await Kubectl("create", "service", "loadbalancer", "balanced", "--tcp=443");
        Assert.Equal("LoadBalancer", Get(ResourceTypes.Services, "balanced").Text("spec", "type"));
        await Kubectl("create", "service", "externalname", "other", "--external-name=example.org");
        Assert.Equal("example.org", Get(ResourceTypes.Services, "other").Text("spec", "externalName"));
    }

    [Fact]
    public async Task Accounts_and_roles_are_created()
    {
        await Kubectl("create", "serviceaccount", "robot");
        await Kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods");
        await Kubectl("create", "rolebinding", "robot-reads", "--role=reader", "--serviceaccount=default:robot");
        await Kubectl("create", "clusterrole", "all-reader", "--verb=get", "--resource=nodes");
        await Kubectl("create", "clusterrolebinding", "robot-reads-all", "--clusterrole=all-reader", "--serviceaccount=default:robot");
        Assert.Equal(["get", "list"], Get(ResourceTypes.Roles, "reader").Items("rules").Single().Texts("verbs"));
        Assert.Equal("robot", Get(ResourceTypes.RoleBindings, "robot-reads").Items("subjects").Single().Text("name"));
        Assert.Equal("all-reader", Get(ResourceTypes.ClusterRoleBindings, "robot-reads-all").Text("roleRef", "name"));
    }

    [Fact]
    public async Task Run_and_expose_make_a_pod_and_a_service_for_it()
    {
        await Kubectl("run", "client", "--image=busybox", "--labels=app=client", "--port=8080", "--env=A=b", "--", "sleep", "1d");
        var container = Get(ResourceTypes.Pods, "client").Items("spec", "containers").Single();
        Assert.Equal(["sleep", "1d"], container.Texts("args"));
        await Kubectl("expose", "pod", "client", "--port=80", "--target-port=8080");
        var service = Get(ResourceTypes.Services, "client");
        Assert.Equal("client", service.Text("spec", "selector", "app"));
        Assert.Equal(8080, service.Items("spec", "ports").Single().Number("targetPort"));

        await Kubectl("create", "deployment", "web", "--image=busybox", "--port=8080");
        await Kubectl("expose", "deployment", "web", "--type=NodePort", "--port=80", "--name=front");
        Assert.Equal("NodePort", Get(ResourceTypes.Services, "front").Text("spec", "type"));
    }
}
