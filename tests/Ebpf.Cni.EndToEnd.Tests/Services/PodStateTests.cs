using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Store;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>From a pod's probe, end or failure over controllers and agents to who is answered.</summary>
[Collection(FullServices.Name)]
public sealed class PodStateTests(FullCluster cluster)
{
    [Fact]
    public async Task Unready_and_ending_pods_answer_if_they_are_published_and_not_otherwise()
    {
        var file = Path.GetTempFileName();
        File.Delete(file);
        try
        {
            var published = await Service("published", "publishNotReadyAddresses: true, selector: {app: unready}");
            var hidden = await Service("hidden", "selector: {app: unready}");
            await Pod("unready", $"readinessProbe: {{exec: {{command: [test, -e, {file}]}}, periodSeconds: 1, failureThreshold: 1}}",
                drain: 60);
            await cluster.AnsweredBy(PodB, "tcp", published, 80, "unready");
            await cluster.Refused(PodB, "tcp", hidden, 80);
            File.WriteAllText(file, "");
            await cluster.AnsweredBy(PodB, "tcp", hidden, 80, "unready");
            await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "unready");
            await cluster.AnsweredBy(PodB, "tcp", published, 80, "unready");
            await cluster.AnsweredBy(PodB, "tcp", hidden, 80, "unready"); // alone, ending and serving: better than nothing
            File.Delete(file);
            await cluster.Refused(PodB, "tcp", hidden, 80); // its probe fails while it ends
            await cluster.AnsweredBy(PodB, "tcp", published, 80, "unready");
            await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "unready", graceSeconds: 0);
            await cluster.Refused(PodB, "tcp", published, 80);
        }
        finally
        {
            File.Delete(file);
            await Delete("published", "hidden");
        }
    }

    [Fact]
    public async Task A_service_whose_pods_were_evicted_refuses()
    {
        var address = await Service("evicted", "selector: {app: evicted}");
        await Pod("evicted", "");
        await cluster.AnsweredBy(PodB, "tcp", address, 80, "evicted");
        var failed = new JsonObject { ["status"] = new JsonObject { ["phase"] = "Failed", ["reason"] = "Evicted" } };
        await cluster.Cluster.Client.PatchAsync(ResourceTypes.Pods, "default", "evicted", failed, "status");
        await cluster.Refused(PodB, "tcp", address, 80);
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "evicted", graceSeconds: 0);
        await Delete("evicted");
    }

    [Fact]
    public async Task A_service_distributes_its_traffic_by_hints_of_the_controller()
    {
        var address = await Service("near", "trafficDistribution: PreferSameNode, selector: {app: near}");
        foreach (var (pod, node) in new[] { ("near-a", "node-a"), ("near-b", "node-b"), ("near-c", "node-c") })
            await Pod(pod, "", node, "near");
        await cluster.AnsweredBy(PodA, "tcp", address, 80, "near-a");
        await cluster.AnsweredBy(PodC, "tcp", address, 80, "near-c");
        await cluster.Cluster.Client.PatchAsync(
            ResourceTypes.Services, "default", "near", new() { ["spec"] = new JsonObject { ["trafficDistribution"] = "PreferClose" } });
        await cluster.AnsweredBy(PodA, "tcp", address, 80, "near-a", "near-b");
        await cluster.AnsweredBy(PodC, "tcp", address, 80, "near-c");
        foreach (var pod in new[] { "near-a", "near-b", "near-c" })
            await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", pod);
        await Delete("near");
    }

    [Fact]
    public async Task A_named_port_is_found_in_a_sidecar_and_numbers_may_differ()
    {
        var address = await Service("named", "selector: {app: named}", "web");
        await Pod("named-1", "ports: [{name: web, containerPort: 8080}]", app: "named");
        await cluster.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Pod\nmetadata: {{name: named-2, labels: {{app: named}}}}\nspec:\n  nodeName: node-b\n  "
            + $"terminationGracePeriodSeconds: 1\n"
            + $"  initContainers: [{{name: s, image: python:3-slim, restartPolicy: Always, command: "
            + $"{ServerCommand("named-2", "node-b", "8085")}, ports: [{{name: web, containerPort: 8085}}]}}]\n"
            + "  containers: [{name: c, image: python:3-slim, command: [sleep, infinity]}]\n");
        await cluster.AnsweredBy(PodC, "tcp", address, 80, "named-1", "named-2");
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "named-1");
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "named-2");
        await Delete("named");
    }

    private async Task<string> Service(string name, string spec, string target = "8080")
    {
        var stored = await cluster.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{spec}, ports: [{{port: 80, targetPort: {target}}}]}}\n");
        return stored[0].Text("spec", "clusterIP")!;
    }

    private Task Pod(string name, string more, string node = "node-a", string? app = null, double drain = 0) => Apply(
        $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {app ?? name}}}}}\nspec:\n  nodeName: {node}\n  "
        + $"terminationGracePeriodSeconds: {(drain > 0 ? 60 : 1)}\n"
        + $"  containers: [{{name: c, image: python:3-slim, command: {ServerCommand(name, node, "8080", drain)}{(more.Length > 0 ? ", "
            + "" : "")}{more}}}]\n");

    private async Task Apply(string manifest) => await cluster.Cluster.ApplyAsync(manifest);

    private async Task Delete(params string[] services)
    {
        foreach (var service in services)
            await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", service);
    }
}
