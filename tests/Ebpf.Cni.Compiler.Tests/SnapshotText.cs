using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>One compile of a golden case.</summary>
internal sealed record Step(ClusterSnapshot Cluster, NodeContext Node, IdTable Restored);

/// <summary>
/// The input of golden cases: one object a line, an endpoint a line below its slice, <c>then</c> begins the next whole snapshot.
/// <code>
/// self node-a ipv6=no
/// restored 10.96.0.10:80/Tcp=7 next=8
/// node node-b podCIDRs=10.244.1.0/24 addresses=192.168.0.2
/// service default/web clusterIPs=10.96.0.10,fd00::a ports=http:80/TCP,:53/UDP type=ClusterIP headless proxyName=other
/// slice default/web-1 service=web type=IPv4 ports=http:8080/TCP,all:-/TCP
///   10.244.0.5 node=node-a notReady serving terminating
/// </code>
/// </summary>
internal static class SnapshotText
{
    public static List<Step> Read(string text)
    {
        var steps = new List<Step>();
        foreach (var part in text.Split("\nthen\n"))
            steps.Add(ReadStep(part.Split('\n')));
        return steps;
    }

    private static Step ReadStep(string[] lines)
    {
        var step = new Step(ClusterSnapshot.Empty, new NodeContext("node-a"), IdTable.Empty);
        for (var i = 0; i < lines.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i]) || lines[i].StartsWith('#'))
                continue;
            var endpoints = lines.Skip(i + 1).TakeWhile(l => l.StartsWith("  ", StringComparison.Ordinal)).ToList();
            step = Add(step, new Words(lines[i]), endpoints);
            i += endpoints.Count;
        }
        return step;
    }

    private static Step Add(Step step, Words line, List<string> endpoints)
    {
        var cluster = step.Cluster;
        switch (line.Kind)
        {
            case "self":
                return step with { Node = new NodeContext(line.Name, line.Value("ipv4") != "no", line.Value("ipv6") != "no") };
            case "restored":
                var (key, id) = ReadRestored(line.Name);
                return step with
                {
                    Restored = step.Restored with
                    {
                        Restored = step.Restored.Restored.Add(key, id),
                        Next = uint.Parse(line.Value("next") ?? "1", CultureInfo.InvariantCulture),
                    },
                };
            case "node":
                return step with { Cluster = cluster with { Nodes = cluster.Nodes.Add(line.Name, ReadNode(line)) } };
            case "service":
                var service = ReadService(line);
                return step with { Cluster = cluster with { Services = cluster.Services.Add(service.Name, service) } };
            case "slice":
                var slice = ReadSlice(line, endpoints);
                return step with { Cluster = cluster with { EndpointSlices = cluster.EndpointSlices.Add(slice.Name, slice) } };
            default:
                throw new FormatException($"unknown line: {line.Kind}");
        }
    }

    private static NodeSnapshot ReadNode(Words line) => new()
    {
        Name = line.Name,
        Uid = "uid-" + line.Name,
        PodCidrs = [.. line.List("podCIDRs")],
        InternalIPs = [.. line.List("addresses")],
    };

    private static ServiceSnapshot ReadService(Words line) => new()
    {
        Name = ReadName(line.Name),
        Uid = "uid-" + line.Name,
        Type = line.Value("type") ?? "ClusterIP",
        ClusterIPs = [.. line.List("clusterIPs")],
        Ports = [.. line.List("ports").Select(p => ReadPort(p)).Select(p => new ServicePortSnapshot(p.Name, p.Protocol, p.Port ?? 0))],
        ProxyName = line.Value("proxyName"),
        HeadlessLabel = line.Has("headless"),
    };

    private static EndpointSliceSnapshot ReadSlice(Words line, List<string> endpoints) => new()
    {
        Name = ReadName(line.Name),
        Uid = "uid-" + line.Name,
        ServiceName = line.Value("service"),
        AddressType = line.Value("type") ?? "IPv4",
        Ports = [.. line.List("ports").Select(p => ReadPort(p)).Select(p => new EndpointPortSnapshot(p.Name, p.Protocol, p.Port))],
        Endpoints = [.. endpoints.Select(e => ReadEndpoint(new Words("endpoint " + e.Trim())))],
    };

    private static EndpointSnapshot ReadEndpoint(Words line)
    {
        var ready = !line.Has("notReady");
        string[] addresses = line.Name == "none" ? [] : line.Name.Split(',');
        return new EndpointSnapshot([.. addresses], ready, ready || line.Has("serving"), line.Has("terminating"), line.Value("node"));
    }

    private static (string Name, string Protocol, int? Port) ReadPort(string text)
    {
        var (colon, slash) = (text.IndexOf(':', StringComparison.Ordinal), text.IndexOf('/', StringComparison.Ordinal));
        var number = text[(colon + 1)..slash];
        return (text[..colon], text[(slash + 1)..], number == "-" ? null : int.Parse(number, CultureInfo.InvariantCulture));
    }

    private static (SvcKey Key, uint Id) ReadRestored(string text)
    {
        var (colon, slash, equals) = (text.LastIndexOf(':'), text.IndexOf('/', StringComparison.Ordinal), text.IndexOf('=', StringComparison.Ordinal));
        var key = new SvcKey(
            Addr.Parse(text[..colon]),
            U16Be.FromHost(ushort.Parse(text[(colon + 1)..slash], CultureInfo.InvariantCulture)),
            Enum.Parse<IpProtocol>(text[(slash + 1)..equals]), Scope.Internal);
        return (key, uint.Parse(text[(equals + 1)..], CultureInfo.InvariantCulture));
    }

    private static ObjectName ReadName(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return new ObjectName(text[..slash], text[(slash + 1)..]);
    }

    /// <summary>"kind name key=value flag ..."</summary>
    private sealed class Words(string line)
    {
        private readonly string[] _words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

        public string Kind => _words[0];
        public string Name => _words.Length > 1 ? _words[1] : "";
        public bool Has(string flag) => _words.Contains(flag);
        public string? Value(string key) => _words.FirstOrDefault(w => w.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..];
        public string[] List(string key) => Value(key)?.Split(',') ?? [];
    }
}
