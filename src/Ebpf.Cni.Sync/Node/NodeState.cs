using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Node;

/// <summary>The node at one moment: the compiler's second input, and the uplinks' only one.</summary>
/// <param name="Context">For the compiler; the same instance while nothing in it changes.</param>
/// <param name="Network">For the uplinks.</param>
/// <param name="Issues">Ports that pods ask for and do not get; devices that cannot be uplinks.</param>
/// <param name="HostPortsVersion">For <see cref="NodeState.Applied"/>.</param>
public sealed record NodeView(NodeContext Context, NodeNetwork Network, ImmutableArray<CompileIssue> Issues, long HostPortsVersion)
{
    /// <summary>What fits through every uplink.</summary>
    public int UplinkMtu { get; init; } = Node.UplinkMtu.Default;

    /// <summary>What the kernel said, without what another proxy has left.</summary>
    public NodeNetworkState NetworkState { get; init; } = NodeNetworkState.None;

    /// <summary>The index of the tunnel's device as it was seen last; 0 without one.</summary>
    public int TunnelDevice { get; init; }
}

/// <summary>
/// Collects the node's state outside the API, and notifies the sync loop of changes: addresses and devices from the
/// kernel, ports of the node that lead to pods from the endpoints.
/// </summary>
public sealed class NodeState : IHostPorts
{
    public const string UplinkUnfit = nameof(UplinkUnfit);
    public const string UplinkDoubtful = nameof(UplinkDoubtful);
    public const string ProxyDevice = nameof(ProxyDevice);
    public const string NetworkFought = nameof(NetworkFought);

    private readonly Lock _lock = new();
    private readonly EndpointStore _endpoints;
    private readonly SyncOptions _options;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(long Version, TaskCompletionSource Done)> _waiting = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _awaited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NodeNetworkState _state = NodeNetworkState.None;
    private NodeView? _view;
    private ImmutableArray<string> _internalIPs = [];
    private ImmutableArray<CompileIssue> _portIssues = [];
    private long _version = 1;
    private ImmutableArray<NodeServer> _servers = [];
    private bool _applying;
    private bool _lost;
    private string? _fought;
    private Inputs? _viewed;

    public NodeState(EndpointStore endpoints, SyncOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        (_endpoints, _options, _time) = (endpoints, options, time);
        endpoints.HostPortsChanged += () =>
        {
            lock (_lock)
            {
                _version++;
                _changed.TrySetResult();
            }
        };
    }

    /// <summary>Completes when the kernel was asked for the first time: before that, nothing can be compiled.</summary>
    public Task Known => _known.Task;

    /// <summary>Completes at the first change after the last <see cref="View"/>.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    /// <summary>Completes when an ADD begins to wait for an apply after the last <see cref="View"/>: that one is not put off.</summary>
    public Task Awaited
    {
        get
        {
            lock (_lock)
                return _awaited.Task;
        }
    }

    public void SetNetworkState(NodeNetworkState state)
    {
        lock (_lock)
        {
            if (_state.Equals(state) && _known.Task.IsCompleted)
                return;
            _state = state;
            _changed.TrySetResult();
        }

        _known.TrySetResult();
    }

    /// <summary>Network state of this agent was removed; the next pass verifies it, and starts now. Thread-safe.</summary>
    public void Lost()
    {
        lock (_lock)
        {
            _lost = true;
            _changed.TrySetResult();
        }
    }

    /// <summary>What this agent sets on the node is taken away again each time. Thread-safe.</summary>
    /// <param name="example">A sentence's beginning: "the route to ... was deleted"; null: it is over.</param>
    public void SetFought(string? example)
    {
        lock (_lock)
        {
            // An issue that is there is enough: another route each time is no news.
            if ((_fought is null) == (example is null))
                return;
            _fought = example;
            _changed.TrySetResult();
        }
    }

    /// <summary>Whether <see cref="Lost"/> was called since this was asked last. For the sync loop alone.</summary>
    public bool TakeLoss()
    {
        lock (_lock)
        {
            var lost = _lost;
            _lost = false;
            return lost;
        }
    }

    /// <summary>Where NodePorts were served at the last <see cref="View"/>, besides loopback. Thread-safe.</summary>
    public IReadOnlySet<IPAddress> NodePortAddresses
    {
        get
        {
            lock (_lock)
                return (_view?.Network.NodePortAddresses ?? []).Select(a => a.ToIPAddress()).ToHashSet();
        }
    }

    /// <summary>What the kernel said last, and the last <see cref="View"/>; null before the first. Thread-safe.</summary>
    public (NodeNetworkState NetworkState, NodeView? View) Seen
    {
        get
        {
            lock (_lock)
                return (_state, _view);
        }
    }

    /// <summary>The node as it is now. For the sync loop alone.</summary>
    /// <param name="self">Its Node object; null while the API has none.</param>
    public NodeView View(NodeSnapshot? self)
    {
        NodeNetworkState state;
        ImmutableArray<NodeServer> servers;
        long version;
        string? fought;
        lock (_lock)
        {
            if (_changed.Task.IsCompleted)
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_awaited.Task.IsCompleted)
                _awaited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            (state, version, servers, fought) = (_state, _version, _servers, _fought);
        }

        // The version is older than what is read here: at worst something is applied without need.
        // A Node object that is gone for a moment, or has lost its addresses, does not take the node's uplinks along.
        if (self is { InternalIPs.IsDefaultOrEmpty: false })
            _internalIPs = self.InternalIPs;
        // Most compiles are for a service: the node is as it was.
        var inputs = new Inputs(state, _internalIPs, version, servers, fought, self?.Uid);
        if (_view is not null && inputs.Equals(_viewed))
            return _view;
        (state, var leftovers) = ProxyLeftover.Split(state);
        var network = NodeAddressing.Of(state, _internalIPs, _options, _view?.Network.Memory ?? UplinkMemory.None);
        var ports = _view?.Context.HostPorts ?? [];
        if (_view?.HostPortsVersion != version)
            (ports, _portIssues) = HostPortTable.Of(_endpoints.All);
        var context = Context(network, ports, Routing(state, network)) with
        {
            NodeServers = [.. servers.Where(s => network.Addresses.Contains(s.Addr))],
        };
        var view = new NodeView(
            _view is { } before && before.Context.Equals(context) ? before.Context : context, network,
            [
                .. _portIssues, .. UnfitIssues(network, self), .. leftovers.Select(l => OfThisNode(self, ProxyDevice, $"{l.Message}.")),
                .. fought is null ? [] : new[] { OfThisNode(self, NetworkFought, FoughtText(fought)) },
            ], version)
        {
            UplinkMtu = Node.UplinkMtu.Of(state, network.Main.Union(network.InternalDevices)),
            NetworkState = state,
            TunnelDevice = state.TunnelDevice,
        };
        lock (_lock)
        {
            _viewed = inputs;
            return _view = view;
        }
    }

    /// <summary>What the view holds is in the kernel.</summary>
    public void Applied(NodeView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        lock (_lock)
        {
            _applying = true;
            foreach (var (version, done) in _waiting)
                if (version <= view.HostPortsVersion)
                    done.TrySetResult();
            _waiting.RemoveAll(w => w.Done.Task.IsCompleted);
        }
    }

    public async Task AppliedAsync(TimeSpan limit, CancellationToken cancel)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            // Before the first lists nothing is applied, and an API that is away must not hold pods up.
            if (!_applying)
                return;
            _waiting.Add((_version, done));
            // Something must come of it even when it was applied a moment ago.
            _changed.TrySetResult();
            _awaited.TrySetResult();
        }

        try
        {
            await done.Task.WaitAsync(limit, _time, cancel);
        }
        catch (TimeoutException)
        {
            lock (_lock)
                _waiting.RemoveAll(w => w.Done == done);
        }
    }

    /// <summary>
    /// Sockets of the node that are bound to exactly these addresses and ports; those count whose address the node has. Thread-safe.
    /// </summary>
    /// <param name="servers">Sorted.</param>
    public void SetServers(ImmutableArray<NodeServer> servers)
    {
        lock (_lock)
        {
            if (_servers.SequenceEqual(servers))
                return;
            _servers = servers;
            _changed.TrySetResult();
        }
    }

    private IEnumerable<CompileIssue> UnfitIssues(NodeNetwork network, NodeSnapshot? self) => network.Unfit.Select(u => OfThisNode(
        self, u.Doubtful ? UplinkDoubtful : UplinkUnfit,
        $"{u.Name} {u.Cause} (the uplinks option {(u.Doubtful ? "lists all uplinks to use" : "selects other devices")})."));

    private CompileIssue OfThisNode(NodeSnapshot? self, string reason, string message) =>
        new("Node", new ObjectName("", _options.NodeName), self?.Uid ?? "", reason, message);

    private RoutingContext Routing(NodeNetworkState state, NodeNetwork network) => new()
    {
        Mode = _options.Routing,
        Underlay = _options.TunnelUnderlay,
        TunnelPort = _options.TunnelPort,
        OnLink = OnLinkNetworks.Of(state, network.Main),
        InternalIPs = [.. _internalIPs.Select(t => IPAddress.TryParse(t, out var a) ? a : null).OfType<IPAddress>().Select(Addr.From)],
    };

    private static string FoughtText(string example) =>
        "Another process repeatedly removes routes, neighbours or sysctls of ebpf-cni on this node; "
        + $"the agent restores them at most once a minute: {example}. "
        + "Identify that process; for systemd-networkd set ManageForeignRoutes=no.";

    /// <summary>What a view is made of, besides the view before and the options.</summary>
    private sealed record Inputs(
        NodeNetworkState NetworkState, ImmutableArray<string> InternalIPs, long HostPorts, ImmutableArray<NodeServer> Servers,
        string? Fought, string? Uid)
    {
        public bool Equals(Inputs? other) =>
            other is not null && ReferenceEquals(NetworkState, other.NetworkState) && HostPorts == other.HostPorts
            && Servers == other.Servers && Fought == other.Fought && Uid == other.Uid
            && InternalIPs.SequenceEqual(other.InternalIPs);

        public override int GetHashCode() => HashCode.Combine(HostPorts, Fought, Uid);
    }

    private NodeContext Context(NodeNetwork network, ImmutableArray<HostPort> ports, RoutingContext routing) => new(_options.NodeName)
    {
        NodePortAddresses = network.NodePortAddresses,
        NodeAddresses = network.Addresses,
        LocalhostNodePorts = _options.LocalhostNodePorts,
        ExternalIPs = _options.ExternalIPs,
        MasqueradeExempt = _options.MasqueradeExempt,
        HostPorts = ports,
        Routing = routing,
    };
}
