using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Demo;

/// <summary>What the demo needs to know of its manifest.</summary>
/// <param name="Labels">What the Deployment selects its pods by.</param>
internal sealed record DemoManifest(string Labels, int Replicas, string Service, string Client)
{
    /// <exception cref="FormatException">It lacks a Deployment, a Service or a pod.</exception>
    public static DemoManifest Read(string yaml)
    {
        var documents = YamlManifests.Parse(yaml);
        var deployment = Find(documents, "Deployment");
        var labels = deployment.Pairs("spec", "selector", "matchLabels").Select(pair => $"{pair.Key}={pair.Value}");
        return new DemoManifest(
            string.Join(',', labels),
            (int)(deployment.Number("spec", "replicas") ?? 1),
            Find(documents, "Service").Name(),
            Find(documents, "Pod").Name());
    }

    /// <summary>The Service's address and port of a family and protocol; null if it has none.</summary>
    public static IPEndPoint? Target(JsonObject service, bool v6, string protocol)
    {
        var address = service.Texts("spec", "clusterIPs").Select(IPAddress.Parse)
            .FirstOrDefault(a => a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 == v6);
        var port = service.Items("spec", "ports").FirstOrDefault(p => (p.Text("protocol") ?? "TCP") == protocol).Number("port");
        return address is null || port is null ? null : new IPEndPoint(address, (int)port);
    }

    private static JsonObject Find(IReadOnlyList<JsonObject> documents, string kind) =>
        documents.FirstOrDefault(document => document.Text("kind") == kind)
            ?? throw new FormatException($"the demo's manifest has no {kind}");
}
