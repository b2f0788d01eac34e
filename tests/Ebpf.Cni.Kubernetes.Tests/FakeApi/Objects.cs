namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>Short objects for the fake API; VERSION is filled in by it.</summary>
public static class Objects
{
    public const string Services = "api/v1/services";
    public const string Slices = "apis/discovery.k8s.io/v1/endpointslices";
    public const string Nodes = "api/v1/nodes";

    public static readonly string[] Paths = [Services, Slices, Nodes];

    public static string KindOf(string path) => path switch
    {
        Services => "Service",
        Slices => "EndpointSlice",
        _ => "Node",
    };

    public static string Service(string name, string ip = "10.96.0.1", int port = 80, string labels = "") => $$"""
        {"metadata":{{Meta(name, labels)}},"spec":{"type":"ClusterIP","clusterIP":"{{ip}}","clusterIPs":["{{ip}}"],
        "ports":[{"name":"http","protocol":"TCP","port":{{port}},"targetPort":"web"}],"sessionAffinity":"None"},"status":{"loadBalancer":{} } }
        """.ReplaceLineEndings("");

    public static string Slice(string name, string service, params string[] addresses) => $$"""
        {"metadata":{{Meta(name, $"\"kubernetes.io/service-name\":\"{service}\"")}},"addressType":"IPv4",
        "endpoints":[{{string.Join(',', addresses.Select(Endpoint))}}],"ports":[{"name":"http","protocol":"TCP","port":8080}]}
        """.ReplaceLineEndings("");

    public static string Node(string name, int subnet) => $$"""
        {"metadata":{{Meta(name, space: "")}},"spec":{"podCIDR":"10.244.{{subnet}}.0/24","podCIDRs":["10.244.{{subnet}}.0/24"]},
        "status":{"addresses":[{"type":"InternalIP","address":"192.168.0.{{subnet}}"},{"type":"Hostname","address":"{{name}}"}],
        "images":[{"names":["x"],"sizeBytes":1}]} }
        """.ReplaceLineEndings("");

    private static string Endpoint(string address) => $$"""{"addresses":["{{address}}"],"conditions":{"ready":true},"nodeName":"node-1"}""";

    private static string Meta(string name, string labels = "", string space = "\"namespace\":\"default\",") => $$"""
        {"name":"{{name}}",{{space}}"uid":"uid-{{name}}","resourceVersion":"VERSION","labels":{ {{labels}} },
        "managedFields":[{"manager":"m","fieldsV1":{"f:spec":{} } }]}
        """.ReplaceLineEndings("");

    /// <summary>One service, its slice and a node.</summary>
    public static void Seed(FakeCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        cluster.Put(Services, "web", Service("web"));
        cluster.Put(Slices, "web-1", Slice("web-1", "web", "10.244.1.2", "10.244.2.2"));
        cluster.Put(Nodes, "node-1", Node("node-1", 1));
    }
}
