using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.State;

/// <summary>NodePorts and hostPorts of a state. Immutable; the same object as long as they are the same.</summary>
public sealed class PortsInUse
{
    public static readonly PortsInUse None = new(ImmutableDictionary<(ushort Port, IpProtocol Protocol), ServicePortName>.Empty, []);

    private readonly ImmutableDictionary<ServicePortName, ushort> _hostPorts;

    private PortsInUse(
        ImmutableDictionary<(ushort Port, IpProtocol Protocol), ServicePortName> nodePorts,
        ImmutableDictionary<ServicePortName, ushort> hostPorts)
    {
        NodePorts = nodePorts;
        _hostPorts = hostPorts;
    }

    /// <summary>NodePorts and the service ports that have them: exactly the entries of the bind hook.</summary>
    public ImmutableDictionary<(ushort Port, IpProtocol Protocol), ServicePortName> NodePorts { get; }

    /// <summary>The numbers of both kinds, of whatever protocol.</summary>
    public HashSet<ushort> Numbers => [.. NodePorts.Keys.Select(p => p.Port), .. _hostPorts.Values];

    /// <summary>Those of the state that follows; costs what changed.</summary>
    public PortsInUse After(DesiredState before, DesiredState after)
    {
        ArgumentNullException.ThrowIfNull(after);
        var (nodePorts, hostPorts) = (NodePorts.ToBuilder(), _hostPorts.ToBuilder());
        // Endpoints change much more often than addresses.
        var changes = after.PortsSince(before)
            .Where(c => c.Before is null || c.After is null || !c.Before.Frontends.SequenceEqual(c.After.Frontends))
            .ToList();
        // One may have what another has left.
        foreach (var port in changes.Select(c => c.Before).OfType<DesiredPort>())
        {
            nodePorts.RemoveRange(GuardEntries(port));
            hostPorts.Remove(port.Name);
        }

        foreach (var port in changes.Select(c => c.After).OfType<DesiredPort>())
        {
            foreach (var entry in GuardEntries(port))
                nodePorts[entry] = port.Name;
            if (port.Name.IsHostPort)
                hostPorts[port.Name] = port.Frontends[0].Key.Port.Host;
        }

        var (node, host) = (nodePorts.ToImmutable(), hostPorts.ToImmutable());
        return Same(node, NodePorts) && Same(host, _hostPorts) ? this : new PortsInUse(node, host);
    }

    private static IEnumerable<(ushort Port, IpProtocol Protocol)> GuardEntries(DesiredPort port) =>
        port.Frontends.Where(f => f.Key.Scope == Scope.Bind).Select(f => (f.Key.Port.Host, f.Key.Proto));

    private static bool Same<TKey, TValue>(ImmutableDictionary<TKey, TValue> a, ImmutableDictionary<TKey, TValue> b)
        where TKey : notnull where TValue : IEquatable<TValue> =>
        ReferenceEquals(a, b) || (a.Count == b.Count && a.All(e => b.TryGetValue(e.Key, out var other) && other.Equals(e.Value)));
}
