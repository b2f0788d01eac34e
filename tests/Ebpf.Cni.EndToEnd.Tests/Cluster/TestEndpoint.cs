using System.Text.Json.Nodes;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>An endpoint as a test wants it to be: a running pod of the cluster, with conditions and hints of the test's choice.</summary>
public sealed record TestEndpoint(string Pod)
{
    public bool Ready { get; init; } = true;

    public bool Terminating { get; init; }

    /// <summary>Null: as ready is.</summary>
    public bool? Serving { get; init; }

    public string? ForZone { get; init; }

    public string? ForNode { get; init; }

    /// <summary>Not ready any more, but it serves until it ends.</summary>
    public static TestEndpoint Ending(string pod) => new(pod) { Ready = false, Serving = true, Terminating = true };

    public static implicit operator TestEndpoint(string pod) => FromString(pod);

    public static TestEndpoint FromString(string pod) => new(pod);

    internal JsonObject ToJson(string address, string node)
    {
        var endpoint = new JsonObject
        {
            ["addresses"] = new JsonArray(address),
            ["nodeName"] = node,
            ["conditions"] = new JsonObject { ["ready"] = Ready, ["serving"] = Serving ?? Ready, ["terminating"] = Terminating },
        };
        var hints = new JsonObject();
        if (ForZone is not null)
            hints["forZones"] = new JsonArray(new JsonObject { ["name"] = ForZone });
        if (ForNode is not null)
            hints["forNodes"] = new JsonArray(new JsonObject { ["name"] = ForNode });
        if (hints.Count > 0)
            endpoint["hints"] = hints;
        return endpoint;
    }
}
