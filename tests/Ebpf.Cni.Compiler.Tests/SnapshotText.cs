using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>One compile of a golden case.</summary>
internal sealed record Step(ClusterSnapshot Cluster, NodeContext Node, IdTable Restored);

/// <summary>
/// The input of golden cases: one object a line, an endpoint a line below its slice, <c>then</c> begins the next whole snapshot.
/// <code>
/// self node-a ipv6=no nodePortAddresses=192.168.0.1 nodeAddresses=192.168.0.1 localhost=no externalIPs=no exempt=10.0.0.0/8
///   (and onLink=192.168.0.0/24 routing=direct underlay=ipv6 internalIPs=192.168.0.1 tunnelPort=8472 servers=10.96.0.10:53/Udp)
/// hostPort default/pod 8080/Tcp to=10.244.0.5:80 on=192.168.0.1
/// restored 10.96.0.10:80/Tcp=7 next=8
/// node node-b podCIDRs=10.244.1.0/24 addresses=192.168.0.2 externalIPs=203.0.113.2 zone=east
/// service default/web clusterIPs=10.96.0.10,fd00::a ports=http:80/TCP@30080,:53/UDP type=ClusterIP headless proxyName=other
///   (and externalIPs= balancers= sourceRanges= internalLocal externalLocal healthCheck=32000 affinity=60 policy=unknown)
/// slice default/web-1 service=web type=IPv4 ports=http:8080/TCP,all:-/TCP proxyName=other headless
///   10.244.0.5 node=node-a notReady serving terminating forNodes=node-a forZones=east,west
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
                return step with { Node = ReadSelf(line, step.Node.HostPorts.IsDefault ? [] : step.Node.HostPorts) };
            case "hostPort":
                return step with { Node = step.Node with { HostPorts = step.Node.HostPorts.Add(ReadHostPort(line)) } };
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

    private static NodeContext ReadSelf(Words line, ImmutableArray<HostPort> hostPorts) => new(
        line.Name, line.Value("ipv4") != "no", line.Value("ipv6") != "no")
    {
        NodePortAddresses = [.. line.List("nodePortAddresses").Select(Addr.Parse)],
        NodeAddresses = [.. line.List("nodeAddresses").Select(Addr.Parse)],
        LocalhostNodePorts = line.Value("localhost") != "no",
        ExternalIPs = line.Value("externalIPs") != "no",
        MasqueradeExempt = [.. line.List("exempt").Select(e => IPNetwork.Parse(e))],
        HostPorts = hostPorts,
        NodeServers = [.. line.List("servers").Select(ReadKey).Select(k => new NodeServer(k.Addr, k.Port.Host, k.Proto)).Order()],
        Routing = new RoutingContext
        {
            Mode = Enum.Parse<RoutingMode>(line.Value("routing") ?? "Auto", ignoreCase: true),
            Underlay = Enum.Parse<TunnelUnderlay>(line.Value("underlay") ?? "Auto", ignoreCase: true),
            TunnelPort = (ushort)Number(line.Value("tunnelPort") ?? "0"),
            OnLink = [.. line.List("onLink").Select(e => IPNetwork.Parse(e))],
            InternalIPs = [.. line.List("internalIPs").Select(Addr.Parse)],
        },
    };

    /// <summary>"hostPort default/pod 8080/Tcp to=10.244.0.5:80 on=192.168.0.1"</summary>
    private static HostPort ReadHostPort(Words line)
    {
        var (port, to) = (line.Third.Split('/'), IPEndPoint.Parse(line.Value("to")!));
        return new HostPort(
            line.Name,
            line.Value("on") is { } on ? Addr.Parse(on) : null,
            ushort.Parse(port[0], CultureInfo.InvariantCulture),
            Enum.Parse<IpProtocol>(port[1]),
            Addr.From(to.Address),
            (ushort)to.Port);
    }

    private static NodeSnapshot ReadNode(Words line) => new()
    {
        Name = line.Name,
        Uid = "uid-" + line.Name,
        PodCidrs = [.. line.List("podCIDRs")],
        InternalIPs = [.. line.List("addresses")],
        ExternalIPs = [.. line.List("externalIPs")],
        Zone = line.Value("zone") ?? "",
    };

    private static ServiceSnapshot ReadService(Words line) => new()
    {
        Name = ReadName(line.Name),
        Uid = "uid-" + line.Name,
        Type = line.Value("type") ?? "ClusterIP",
        ClusterIPs = [.. line.List("clusterIPs")],
        Ports = [.. line.List("ports").Select(p => p.Split('@'))
            .Select(p => (Port: ReadPort(p[0]), NodePort: p.Length > 1 ? Number(p[1]) : 0))
            .Select(p => new ServicePortSnapshot(p.Port.Name, p.Port.Protocol, p.Port.Port ?? 0, p.NodePort))],
        ExternalIPs = [.. line.List("externalIPs")],
        LoadBalancerIPs = [.. line.List("balancers")],
        LoadBalancerSourceRanges = [.. line.List("sourceRanges").Select(r => r.Replace('_', ' '))],
        InternalLocal = line.Has("internalLocal"),
        ExternalLocal = line.Has("externalLocal"),
        HealthCheckNodePort = Number(line.Value("healthCheck") ?? "0"),
        AffinitySeconds = Number(line.Value("affinity") ?? "0"),
        UnknownPolicy = line.Value("policy"),
        ProxyName = line.Value("proxyName"),
        HeadlessLabel = line.Has("headless"),
    };

    private static EndpointSliceSnapshot ReadSlice(Words line, List<string> endpoints) => new()
    {
        Name = ReadName(line.Name),
        Uid = "uid-" + line.Name,
        ServiceName = line.Value("service"),
        ProxyName = line.Value("proxyName"),
        HeadlessLabel = line.Has("headless"),
        AddressType = line.Value("type") ?? "IPv4",
        Ports = [.. line.List("ports").Select(p => ReadPort(p)).Select(p => new EndpointPortSnapshot(p.Name, p.Protocol, p.Port))],
        Endpoints = [.. endpoints.Select(e => ReadEndpoint(new Words("endpoint " + e.Trim())))],
    };

    private static EndpointSnapshot ReadEndpoint(Words line)
    {
        var ready = !line.Has("notReady");
        string[] addresses = line.Name == "none" ? [] : line.Name.Split(',');
        return new EndpointSnapshot([.. addresses], ready, ready || line.Has("serving"), line.Has("terminating"), line.Value("node"))
        {
            HintNodes = [.. line.List("forNodes")],
            HintZones = [.. line.List("forZones")],
        };
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static (string Name, string Protocol, int? Port) ReadPort(string text)
    {
        var (colon, slash) = (text.IndexOf(':', StringComparison.Ordinal), text.IndexOf('/', StringComparison.Ordinal));
        var number = text[(colon + 1)..slash];
        return (text[..colon], text[(slash + 1)..], number == "-" ? null : int.Parse(number, CultureInfo.InvariantCulture));
    }

    private static (SvcKey Key, uint Id) ReadRestored(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        return (ReadKey(text[..equals]), uint.Parse(text[(equals + 1)..], CultureInfo.InvariantCulture));
    }

    private static SvcKey ReadKey(string text)
    {
        var (colon, slash) = (text.LastIndexOf(':'), text.IndexOf('/', StringComparison.Ordinal));
        return new SvcKey(
            Addr.Parse(text[..colon]),
            U16Be.FromHost(ushort.Parse(text[(colon + 1)..slash], CultureInfo.InvariantCulture)),
            Enum.Parse<IpProtocol>(text[(slash + 1)..]), Scope.Internal);
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
        public string Third => _words.Length > 2 ? _words[2] : "";
        public bool Has(string flag) => _words.Contains(flag);
        public string? Value(string key) =>
            _words.FirstOrDefault(w => w.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..];
        public string[] List(string key) => Value(key)?.Split(',') ?? [];
    }
}
