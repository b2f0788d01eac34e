using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>The pods that answer, and those that only ask. Each is put on its node by name.</summary>
internal static class PodObjects
{
    public const string Label = "differential=true";

    /// <summary>programs/whoami.py on the pod's addresses, or the node's.</summary>
    public static JsonObject Server(string name, string node, bool hostNetwork, string ports)
    {
        var pod = Pod(name, node, [.. ClusterFixture.Program("whoami.py", name, "$(ADDRESSES)", ports)]);
        var spec = pod["spec"]!.AsObject();
        if (hostNetwork)
            spec["hostNetwork"] = true;
        var container = spec["containers"]![0]!.AsObject();
        container["env"] = new JsonArray(new JsonObject
        {
            ["name"] = "ADDRESSES",
            ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = "status.podIPs" } },
        });
        container["readinessProbe"] = new JsonObject
        {
            ["tcpSocket"] = new JsonObject
                { ["port"] = int.Parse(ports.Split(',')[^1], System.Globalization.CultureInfo.InvariantCulture) },
            ["periodSeconds"] = 1,
        };
        return pod;
    }

    public static JsonObject Sleeper(string name, string node) =>
        Pod(name, node, ["python3", "-c", "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); signal.pause()"]);

    private static JsonObject Pod(string name, string node, string[] command) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default",
            ["labels"] = new JsonObject { ["differential"] = "true" } },
        ["spec"] = new JsonObject
        {
            ["nodeName"] = node,
            ["terminationGracePeriodSeconds"] = 1,
            ["containers"] = new JsonArray(new JsonObject
            {
                ["name"] = "main",
                ["image"] = "python:3-slim",
                ["command"] = new JsonArray([.. command.Select(c => (JsonNode)c)]),
            }),
        },
    };
}
