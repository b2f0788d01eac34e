using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Claims;
using Ebpf.Cni.Compiler.Ids;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Prefixes;
using Ebpf.Cni.Compiler.Routes;
using Ebpf.Cni.Compiler.Services;
using Ebpf.Cni.Compiler.Tables;

namespace Ebpf.Cni.Compiler;

/// <summary>
/// A cluster as compiled, and its transition to the next snapshot: slices → services
/// → claims → ids → ports, each stage for what the one before it has touched.
/// </summary>
internal sealed class Compilation
{
    private readonly HashSet<PortSlot> _touched = [];
    private readonly IssueTable _issues = new();
    private readonly IdAssigner _ids = new();
    private readonly ClaimTable _claims;
    private readonly SliceIndex _slices;
    private readonly HealthCheckTable _checks;
    private readonly ServiceTable _services;
    private readonly HostPortOwners _hostPorts;
    private ClusterSnapshot _cluster = ClusterSnapshot.Empty;
    private NodeContext? _node;
    private ServiceContext? _view;
    private CompiledRoutes? _routes;
    private CompiledPrefixes? _prefixes;
    private DesiredState? _state;

    public Compilation()
    {
        _claims = new ClaimTable(_touched);
        _slices = new SliceIndex();
        _checks = new HealthCheckTable(_issues);
        var ports = new PortTable(_claims, _touched);
        _services = new ServiceTable(ports, _checks, _issues);
        _hostPorts = new HostPortOwners(ports, _issues);
    }

    public DesiredState Advance(ClusterSnapshot cluster, NodeContext node, IdTable ids)
    {
        var sameNode = node == _node;
        if (_state is { } last && sameNode && cluster.IsSame(_cluster) && ReferenceEquals(ids, last.Ids))
            return last;
        var sameView = LookAtNode(cluster, node, sameNode);
        CompileServices(cluster, sameView);
        if (!sameNode)
            _hostPorts.Put(HostPortCompiler.Compile(node));
        var (ports, portChanges, newIds) = Resolve(ids);
        var (checks, checkChanges) = _checks.Settle();
        LookAtNodes(cluster, node, sameNode);
        var (issues, issueChanges) = _issues.Settle();
        (_cluster, _node) = (cluster, node);
        return _state = new DesiredState
        {
            Ports = ports,
            PortChanges = portChanges,
            ChecksByService = checks,
            CheckChanges = checkChanges,
            IssuesByKey = issues,
            IssueChanges = issueChanges,
            Prefixes = _prefixes!.Prefixes,
            Routes = _routes!.Routes,
            ServerCandidates = Same(_state?.ServerCandidates, ServerCandidates()),
            Ids = newIds,
        };
    }

    /// <summary>
    /// Services see little of their node (<see cref="ServiceContext"/>): a pod with a hostPort that
    /// comes must not cost a compile of them all, but the zone in the Node object is of it.
    /// </summary>
    /// <returns>Whether services see what they saw before.</returns>
    private bool LookAtNode(ClusterSnapshot cluster, NodeContext node, bool sameNode)
    {
        if (_view is not null && sameNode && ReferenceEquals(cluster.Nodes, _cluster.Nodes))
            return true;
        var view = new ServiceContext(node, cluster);
        var same = view.IsSame(_view);
        if (same)
            view.Succeed(_view!);
        _view = view;
        return same;
    }

    private void CompileServices(ClusterSnapshot cluster, bool sameView)
    {
        var services = new HashSet<ObjectName>();
        foreach (var name in KeyedDifference.Between(_cluster.EndpointSlices, cluster.EndpointSlices, cluster.SliceChanges))
            _slices.Put(name, _cluster.EndpointSlices.GetValueOrDefault(name), cluster.EndpointSlices.GetValueOrDefault(name), services);
        services.UnionWith(KeyedDifference.Between(_cluster.Services, cluster.Services, cluster.ServiceChanges));
        if (!sameView)
        {
            services.UnionWith(cluster.Services.Keys);
            _services.Outdate();
        }
        foreach (var name in services)
            _services.Put(name, cluster.Services.GetValueOrDefault(name), _slices.Of(name), _view!);
    }

    /// <summary>What the touched ports hold now, and under which ids.</summary>
    private (ImmutableSortedDictionary<ServicePortName, DesiredPort> Ports,
        KeyedChanges<ServicePortName, DesiredPort>? Changes,
        IdTable Ids) Resolve(IdTable ids)
    {
        var before = _state?.Ports ?? ImmutableSortedDictionary<ServicePortName, DesiredPort>.Empty;
        if (!_ids.Begin(ids))
        {
            _services.AddPorts(_touched);
            _hostPorts.AddPorts(_touched);
        }
        var (after, changed) = (before.ToBuilder(), new List<ServicePortName>());
        var unnamed = new List<(PortSlot Slot, List<CompiledFrontend> Held)>();
        foreach (var slot in _touched)
        {
            var held = PortEmitter.Held(slot, _claims);
            if (held.Count == 0)
                Set(slot, null);
            else if (_ids.TryKeep(slot.Name, out var id))
                Set(slot, PortEmitter.Emit(slot, held, id));
            else
                unnamed.Add((slot, held));
        }
        var given = _ids.Assign(unnamed);
        for (var i = 0; i < unnamed.Count; i++)
            Set(unnamed[i].Slot, PortEmitter.Emit(unnamed[i].Slot, unnamed[i].Held, given[i]));
        ReportConflicts();
        _touched.Clear();
        return changed.Count == 0 ? (before, null, _ids.End()) : (after.ToImmutable(), KeyedDifference.Hint(before, changed), _ids.End());

        void Set(PortSlot slot, DesiredPort? port)
        {
            if (port is null)
                _ids.Free(slot.Name);
            if (ReferenceEquals(slot.Desired, port))
                return;
            slot.Desired = port;
            changed.Add(slot.Name);
            if (port is null)
                after.Remove(slot.Name);
            else
                after[slot.Name] = port;
        }
    }

    private void ReportConflicts()
    {
        foreach (var owner in _touched.Select(s => s.Owner).Distinct())
        {
            var conflict = ClaimConflict.Of(owner, _claims);
            if (owner.Conflict is { } over)
                _issues.Remove(over);
            if (conflict is not null)
                _issues.Add(conflict);
            owner.Conflict = conflict;
        }
    }

    /// <summary>Routes and prefixes follow the nodes; prefixes also which of the node's addresses are services'.</summary>
    private void LookAtNodes(ClusterSnapshot cluster, NodeContext node, bool sameNode)
    {
        if (!sameNode || _routes?.Nodes != cluster.Nodes)
        {
            var routes = RouteCompiler.Compile(cluster.Nodes, node);
            _issues.Replace((_routes?.Issues ?? []).AsSpan(), routes.Issues.AsSpan());
            _routes = routes with { Routes = Same(_routes?.Routes, routes.Routes) };
        }
        var clusterIPs = ClusterIPs(node.NodeAddresses);
        if (!sameNode || _prefixes?.Nodes != cluster.Nodes || !_prefixes.ClusterIPs.AsSpan().SequenceEqual(clusterIPs.AsSpan()))
        {
            var prefixes = PrefixCompiler.Compile(_routes!, node, clusterIPs);
            _prefixes = prefixes with { Prefixes = Same(_prefixes?.Prefixes, prefixes.Prefixes) };
        }
    }

    /// <summary>Those of the node's addresses that are cluster IPs of services as well, in order.</summary>
    private ImmutableArray<Addr> ClusterIPs(ImmutableArray<Addr> nodeAddresses) =>
        nodeAddresses.IsDefaultOrEmpty ? [] : nodeAddresses.RemoveAll(a => !_claims.IsClusterIP(a));

    private ImmutableArray<NodeServer> ServerCandidates()
    {
        if (_prefixes!.ClusterIPs.IsEmpty)
            return [];
        var found = new SortedSet<NodeServer>();
        foreach (var address in _prefixes.ClusterIPs)
            foreach (var port in _claims.OwnersOf(address).SelectMany(o => o.Ports).Select(s => s.Desired).OfType<DesiredPort>())
                foreach (var frontend in port.Frontends)
                    if (frontend.Key.Addr == address && frontend.Key.Scope == Scope.Internal && !frontend.Flags.HasFlag(SvcFlags.Address))
                        found.Add(new NodeServer(address, frontend.Key.Port.Host, frontend.Key.Proto));
        return [.. found];
    }

    /// <summary>The former array if it is equal: a comparison of the two need not look inside.</summary>
    private static ImmutableArray<T> Same<T>(ImmutableArray<T>? before, ImmutableArray<T> after) =>
        before is { IsDefault: false } known && known.AsSpan().SequenceEqual(after.AsSpan()) ? known : after;
}
