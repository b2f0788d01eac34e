using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Which connections are wanted. Pure.</summary>
internal sealed class ConnectionFilter
{
    private readonly HashSet<Addr>? _clients;
    private readonly HashSet<uint>? _services;

    private ConnectionFilter(HashSet<Addr>? clients, HashSet<uint>? services) => (_clients, _services) = (clients, services);

    /// <exception cref="QueryException">There is no such client or service.</exception>
    public static ConnectionFilter Of(ObserveQuery query,
        IReadOnlyCollection<EndpointRecord> pods, IReadOnlyDictionary<uint, ServicePortName> names)
    {
        var services = query.Service is not { } service
            ? null : names.Where(n => n.Value.Service == service).Select(n => n.Key).ToHashSet();
        if (services is { Count: 0 })
            throw new QueryException($"service: no service {query.Service} has an id in the kernel's tables");
        return new ConnectionFilter(query.Client is { } client ? Clients(client, pods) : null, services);
    }

    public bool Wants(CtKey key, Ct value) => (_clients?.Contains(key.Src) ?? true) && (_services?.Contains(value.ServiceId) ?? true);

    private static HashSet<Addr> Clients(string text, IReadOnlyCollection<EndpointRecord> pods)
    {
        if (IPAddress.TryParse(text, out var address))
            return [Addr.From(address)];
        var found = pods.Where(p => p.Pod == text).SelectMany(p => p.Addresses).Select(a => Addr.From(IPAddress.Parse(a))).ToHashSet();
        return found.Count > 0 ? found : throw new QueryException(
            $"client: '{text}' is neither an address nor NAMESPACE/NAME of a pod on this node");
    }
}

/// <summary>Connections with names. Pure.</summary>
internal static class ConnectionListing
{
    public static ConntrackAnswer Of(ConnectionList list, KnownNames names) => new()
    {
        Entries = list.Usage.Connections,
        Size = list.Usage.Size,
        Total = list.Matching,
        Connections = [.. list.Connections.Select(c => Line(c, names))],
    };

    private static ConnectionLine Line(Connection connection, KnownNames names)
    {
        var (key, value) = (connection.Key, connection.Forward);
        return new ConnectionLine
        {
            Protocol = AddressText.Protocol(key.Proto),
            State = LabelText.Snake(value.State),
            Client = AddressText.EndOf(key.Src, key.Sport),
            ClientPod = names.Pod(key.Src),
            Destination = AddressText.EndOf(key.Dst, key.Dport),
            Service = ServiceText(value.ServiceId, names),
            Backend = AddressText.EndOf(value.Dst, value.Dport),
            BackendPod = names.Pod(value.Dst),
            BackendNode = names.Node(value.Dst),
            Source = AddressText.EndOf(value.Src, value.Sport),
            AgeSeconds = Math.Round(connection.Age.TotalSeconds, 1),
            IdleSeconds = Math.Round(connection.Idle.TotalSeconds, 1),
            Expired = connection.Expired,
            PacketsTo = value.Packets,
            BytesTo = value.Bytes,
            PacketsFrom = connection.Reply?.Packets ?? 0,
            BytesFrom = connection.Reply?.Bytes ?? 0,
        };
    }

    private static string ServiceText(uint id, KnownNames names) => id == 0 ? ""
        : names.Service(id) is not { } name ? $"(gone, id {id})"
        : name.Port.Length == 0 ? name.Service.ToString()
        : $"{name.Service}:{name.Port}";
}
