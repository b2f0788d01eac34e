using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Controllers;

public sealed class WorkloadTests : ControllerTest
{
    private static string Deployment(int replicas, string image = "one") => $$$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: {{{replicas}}}
          selector: {matchLabels: {app: web} }
          template:
            metadata: {labels: {app: web}}
            spec:
              containers: [{name: c, image: {{{image}}} }]
        """;

    [Fact]
    public async Task A_deployment_has_as_many_pods_as_it_wants_spread_over_the_nodes()
    {
        Apply(Deployment(4));
        await Soon(() => Pods().Count(p => p.Text("spec", "nodeName") is not null) == 4, "four pods are scheduled");
        Assert.Equal([2, 2], Pods().GroupBy(p => p.Text("spec", "nodeName")).Select(g => g.Count()));
        Apply(Deployment(1));
        await Soon(() => Pods().Count(p => !p.IsTerminating()) == 1, "all but one pod are told to end");
        Apply(Deployment(3));
        await Soon(() => Pods().Count(p => !p.IsTerminating()) == 3, "three pods again");
    }

    [Fact]
    public async Task Status_follows_the_pods()
    {
        Apply(Deployment(2));
        await Soon(() => Pods().Count(p => p.Text("spec", "nodeName") is not null) == 2, "two pods are scheduled");
        ReportAll(ready: true);
        await Soon(() => Status("availableReplicas") == 2
            && Store.Get(ResourceTypes.Deployments, "default", "web")!.Json.Condition("Available") == "True",
            "the deployment is available");
    }

    [Fact]
    public async Task A_new_template_is_rolled_out_without_losing_more_than_is_allowed()
    {
        Apply(Deployment(4));
        await Soon(() => Pods().Count(p => p.Text("spec", "nodeName") is not null) == 4, "four pods are scheduled");
        ReportAll(ready: true);
        await Soon(() => Status("availableReplicas") == 4, "four are available");
        Apply(Deployment(4, "two"));
        await Soon(
            () =>
            {
                Assert.True(Pods().Count(p => !p.IsTerminating() && p.Condition("Ready") == "True") >= 3, "fewer than three pods serve");
                ReportAll(ready: true);
                return Pods().Count(p => !p.IsTerminating() && p.Items("spec", "containers").First().Text("image") == "two") == 4
                    && Pods().TrueForAll(p => p.IsTerminating() || p.Items("spec", "containers").First().Text("image") == "two");
            },
            "all pods are of the new template");
        Assert.Equal(2, Store.List(ResourceTypes.ReplicaSets).Count);
    }

    [Fact]
    public async Task Deleting_the_deployment_deletes_what_it_made()
    {
        Apply(Deployment(2));
        await Soon(() => Pods().Count == 2, "two pods");
        Resources.Delete(ResourceTypes.Deployments, "default", "web");
        await Soon(() => Store.List(ResourceTypes.ReplicaSets).Count == 0 && Pods().TrueForAll(p => p.IsTerminating()),
            "its sets are gone and its pods are told to end");
    }

    [Fact]
    public async Task A_pod_that_fits_nowhere_waits_and_says_why()
    {
        Apply("""
            apiVersion: v1
            kind: Pod
            metadata: {name: p}
            spec: {nodeSelector: {disk: fast}, containers: [{name: c, image: i}]}
            """);
        await Soon(() => Pods()[0].Condition("PodScheduled") == "False", "the pod is unschedulable");
        Store.Update(ResourceTypes.Nodes, "", "node-b", n =>
        {
            n.Child("metadata").Child("labels")["disk"] = "fast";
            return n;
        });
        await Soon(() => Pods()[0].Text("spec", "nodeName") == "node-b", "it is bound to the node that fits");
    }

    private long? Status(string field) => Store.Get(ResourceTypes.Deployments, "default", "web")?.Json.Number("status", field);
}
