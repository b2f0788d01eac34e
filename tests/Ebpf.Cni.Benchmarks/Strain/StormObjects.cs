using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>
/// Services, slices and Nodes as a busy cluster has them, with what its controllers write into them. As large on the wire as theirs:
/// what an agent has to read of an object is a part of what the object costs it.
/// </summary>
internal static class StormObjects
{
    public const int Endpoints = 4;
    public const string Namespace = "default";

    public static string ServiceName(int number) => Text($"storm-{number}");

    public static string SliceName(int number, int part = 0) => Text($"storm-{number}-{part:000}");

    public static IPAddress ClusterIP(int number) =>
        IPAddress.Parse(Text($"10.{100 + number / 62_500}.{number / 250 % 250}.{number % 250 + 1}"));

    public static JsonObject Service(int number)
    {
        var address = ClusterIP(number).ToString();
        return new JsonObject
        {
            ["metadata"] = Namespaced(Metadata(
                ServiceName(number), "kubectl-create", new JsonObject { ["app"] = ServiceName(number) }, ServiceFields)),
            ["spec"] = new JsonObject
            {
                ["clusterIP"] = address,
                ["clusterIPs"] = new JsonArray(address),
                ["internalTrafficPolicy"] = "Cluster",
                ["ipFamilies"] = new JsonArray("IPv4"),
                ["ipFamilyPolicy"] = "SingleStack",
                ["ports"] = new JsonArray(new JsonObject { ["name"] = "http", ["port"] = 80, ["protocol"] = "TCP", ["targetPort"] = 8080 }),
                ["sessionAffinity"] = "None",
                ["type"] = "ClusterIP",
            },
            ["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() },
        };
    }

    /// <param name="part">Which slice of the Service.</param>
    /// <param name="ready">Endpoints; the first of <paramref name="of"/>.</param>
    public static JsonObject Slice(int number, int part = 0, int ready = Endpoints, int of = Endpoints)
    {
        var labels = new JsonObject
        {
            ["app"] = ServiceName(number),
            ["endpointslice.kubernetes.io/managed-by"] = "endpointslicemirroring-controller.k8s.io",
            ["kubernetes.io/service-name"] = ServiceName(number),
        };
        var slice = new JsonObject
        {
            ["metadata"] = Namespaced(Metadata(SliceName(number, part), "kube-controller-manager", labels, SliceFields)),
            ["addressType"] = "IPv4",
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "http", ["port"] = 8080, ["protocol"] = "TCP" }),
        };
        slice["endpoints"] = EndpointsOf(number, part, ready, of);
        return slice;
    }

    /// <summary>What a change of readiness replaces in a slice.</summary>
    public static JsonArray EndpointsOf(int number, int part, int ready, int of) =>
        new([.. Enumerable.Range(0, of).Select(i => (JsonNode)Endpoint(number, part, i, i < ready))]);

    private static JsonObject Endpoint(int number, int part, int i, bool ready) => new()
    {
        ["addresses"] = new JsonArray(Text($"10.{128 + i % 64}.{(number / 256 + part + i / 64 * 101) % 256}.{number % 256}")),
        ["conditions"] = new JsonObject { ["ready"] = ready, ["serving"] = ready, ["terminating"] = false },
        ["nodeName"] = "node-b",
        ["targetRef"] = new JsonObject
        {
            ["kind"] = "Pod",
            ["name"] = $"{ServiceName(number)}-7d9c5b8f6d-{part:000}{i:00}",
            ["namespace"] = Namespace,
            ["uid"] = Uid(number * 64 + i),
        },
    };

    /// <summary>A Node with a range of its own for its pods.</summary>
    public static JsonObject Node(int number)
    {
        var name = Text($"storm-{number}");
        var range = Text($"10.{160 + number / 256}.{number % 256}.0/24");
        return new JsonObject
        {
            ["metadata"] = Metadata(
                name, "kubelet", new JsonObject { ["kubernetes.io/hostname"] = name, ["kubernetes.io/os"] = "linux" }, NodeFields),
            ["spec"] = new JsonObject { ["podCIDR"] = range, ["podCIDRs"] = new JsonArray(range),
                ["providerID"] = $"cloud://{Uid(number)}" },
            ["status"] = new JsonObject
            {
                ["addresses"] = new JsonArray(
                    new JsonObject { ["type"] = "InternalIP", ["address"] = NodeAddress(number) },
                    new JsonObject { ["type"] = "Hostname", ["address"] = name }),
                ["capacity"] = new JsonObject { ["cpu"] = "16", ["memory"] = "65838080Ki", ["pods"] = "110" },
                ["conditions"] = Conditions(0),
                ["images"] = new JsonArray([.. Enumerable.Range(0, 50).Select(i => (JsonNode)new JsonObject
                {
                    ["names"] = new JsonArray($"registry.example/team/image-{i}@sha256:{i:x64}", $"registry.example/team/image-{i}:v1.{i}"),
                    ["sizeBytes"] = 50_000_000 + i,
                })]),
                ["nodeInfo"] = new JsonObject { ["kubeletVersion"] = "v1.35.0", ["kernelVersion"] = "6.12.0",
                    ["operatingSystem"] = "linux" },
            },
        };
    }

    /// <summary>Bits of the prefix of the network that the Nodes are in, with the sandbox's.</summary>
    public const int NodeNetworkLength = 16;

    /// <summary>What a kubelet's status update changes.</summary>
    public static JsonArray Conditions(int beat) => new([.. ConditionTypes.Select(type => (JsonNode)new JsonObject
    {
        ["type"] = type,
        ["status"] = type == "Ready" ? "True" : "False",
        ["reason"] = "KubeletHas",
        ["message"] = "kubelet has what it needs",
        ["lastHeartbeatTime"] = $"2026-01-01T{beat / 3600 % 24:00}:{beat / 60 % 60:00}:{beat % 60:00}Z",
        ["lastTransitionTime"] = "2026-01-01T00:00:00Z",
    })]);

    private static readonly string[] ConditionTypes = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

    private static string NodeAddress(int number) => Text($"172.30.{1 + number / 250}.{number % 250 + 1}");

    private static JsonObject Metadata(string name, string manager, JsonObject labels, string fields) => new()
    {
        ["name"] = name,
        ["labels"] = labels,
        ["managedFields"] = new JsonArray(new JsonObject
        {
            ["manager"] = manager,
            ["operation"] = "Update",
            ["apiVersion"] = "v1",
            ["time"] = "2026-01-01T00:00:00Z",
            ["fieldsType"] = "FieldsV1",
            ["fieldsV1"] = JsonNode.Parse(fields),
        }),
    };

    private static JsonObject Namespaced(JsonObject metadata)
    {
        metadata["namespace"] = Namespace;
        return metadata;
    }

    private static string Uid(int number) => Text($"{number:x8}-5f0a-4c59-9d3e-0123456789ab");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private const string ServiceFields =
        """{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:internalTrafficPolicy":{},"f:ports":{".":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{},"f:protocol":{},"f:targetPort":{}}},"f:selector":{},"f:sessionAffinity":{},"f:type":{}}}""";

    private const string SliceFields =
        """{"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:endpointslice.kubernetes.io/managed-by":{},"f:kubernetes.io/service-name":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"5f0a\"}":{}}},"f:ports":{}}""";

    private const string NodeFields =
        """{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{"f:lastHeartbeatTime":{}},"k:{\"type\":\"DiskPressure\"}":{"f:lastHeartbeatTime":{}}},"f:images":{},"f:nodeInfo":{}}}""";
}
