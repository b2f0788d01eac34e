using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Claims;

/// <summary>
/// Stage 3: which port is served at which address, port number and protocol. Of several claims the first by kind of address,
/// namespace, name and port name wins, on every node alike and in all scopes. No port gets another's traffic from outside only. The
/// API server hands out cluster IPs and node ports uniquely, so a conflict there means that a writer bypassed it. External addresses
/// are whatever users write. At a cluster IP the node itself has nothing, even where one of its devices carries the address: NodePorts
/// and hostPorts are not served there. Claims come and go one port at a time; a target that no other port wants costs one look-up.
/// </summary>
/// <param name="touched">Gets ports whose claims may hold, or not, otherwise than before.</param>
internal sealed class ClaimTable(HashSet<PortSlot> touched)
{
    private readonly Dictionary<SvcKey, Claimants> _claimants = [];

    /// <summary>How many services have a cluster IP, and how many claims of the node itself there are, by address.</summary>
    private readonly Dictionary<Addr, int> _rejects = [], _ofNode = [];

    /// <summary>Some service has this cluster IP.</summary>
    public bool IsClusterIP(Addr address) => _rejects.ContainsKey(address);

    /// <summary>The owners of a cluster IP: all that want it.</summary>
    public IEnumerable<ClaimOwner> OwnersOf(Addr clusterIP) =>
        _claimants.TryGetValue(new SvcKey(clusterIP, default, 0, Scope.Internal), out var claimants)
            ? claimants.All.Select(s => s.Owner).Distinct()
            : [];

    /// <summary>The port's claims come.</summary>
    public void Add(PortSlot slot)
    {
        touched.Add(slot);
        foreach (ref readonly var frontend in slot.Compiled!.Frontends.AsSpan())
        {
            var target = frontend.Target;
            if (!_claimants.TryGetValue(target, out var others))
                _claimants.Add(target, new Claimants(slot, null));
            else if (!others.Has(slot))
            {
                Touch(others);
                _claimants[target] = others.With(slot);
            }
            if (frontend.IsOfNode)
                _ofNode[target.Addr] = _ofNode.GetValueOrDefault(target.Addr) + 1;
            if (frontend.IsRejectEntry)
            {
                Count(_rejects, target.Addr, +1);
                TouchClaimsOfNode(target.Addr);
            }
        }
    }

    /// <summary>The port's claims go.</summary>
    public void Remove(PortSlot slot)
    {
        touched.Add(slot);
        foreach (ref readonly var frontend in slot.Compiled!.Frontends.AsSpan())
        {
            var target = frontend.Target;
            if (frontend.IsOfNode)
                Count(_ofNode, target.Addr, -1);
            if (_claimants.TryGetValue(target, out var claimants) && claimants.Has(slot))
            {
                if (claimants.Without(slot) is { } left)
                {
                    _claimants[target] = left;
                    Touch(left);
                }
                else
                    _claimants.Remove(target);
            }
            if (frontend.IsRejectEntry)
            {
                Count(_rejects, target.Addr, -1);
                TouchClaimsOfNode(target.Addr);
            }
        }
    }

    public bool Holds(PortSlot slot, in CompiledFrontend frontend) =>
        !IsAtClusterIP(frontend) && ReferenceEquals(WinnerOf(frontend.Target), slot);

    /// <summary>It is the node's, at an address that a service has.</summary>
    public bool IsAtClusterIP(in CompiledFrontend frontend) => frontend.IsOfNode && _rejects.ContainsKey(frontend.Key.Addr);

    /// <summary>Who has what a claim that does not hold wants.</summary>
    public PortSlot WinnerOver(in CompiledFrontend lost) =>
        WinnerOf(IsAtClusterIP(lost) ? new SvcKey(lost.Key.Addr, default, 0, Scope.Internal) : lost.Target)!;

    private PortSlot? WinnerOf(SvcKey target)
    {
        var claimants = _claimants[target];
        if (claimants.Others is null)
            return claimants.First;
        PortSlot? winner = null;
        var best = (Scope: Scope.Bind, Kind: FrontendKind.HostPort);
        foreach (var slot in claimants.All)
            foreach (ref readonly var frontend in slot.Compiled!.Frontends.AsSpan())
            {
                if (frontend.Target != target || IsAtClusterIP(frontend))
                    continue;
                var rank = (frontend.Key.Scope, frontend.Kind);
                var c = rank.CompareTo(best);
                if (winner is null || c < 0 || (c == 0 && slot.Name < winner.Name))
                    (winner, best) = (slot, rank);
            }
        return winner;
    }

    /// <summary>
    /// A cluster IP came to an address of the node, went from it, or has another owner, which is rare enough to look through all claims.
    /// </summary>
    private void TouchClaimsOfNode(Addr address)
    {
        if (!_ofNode.ContainsKey(address))
            return;
        foreach (var (target, claimants) in _claimants)
            if (target.Addr == address)
                Touch(claimants);
    }

    private void Touch(Claimants claimants)
    {
        touched.Add(claimants.First);
        foreach (var other in claimants.Others ?? [])
            touched.Add(other);
    }

    private static void Count(Dictionary<Addr, int> counts, Addr address, int change)
    {
        var count = counts.GetValueOrDefault(address) + change;
        if (count == 0)
            counts.Remove(address);
        else
            counts[address] = count;
    }

    /// <summary>Ports that want one target: nearly always one.</summary>
    private readonly record struct Claimants(PortSlot First, PortSlot[]? Others)
    {
        public IEnumerable<PortSlot> All => Others is null ? [First] : [First, .. Others];

        public bool Has(PortSlot slot) => ReferenceEquals(First, slot) || (Others is not null && Array.IndexOf(Others, slot) >= 0);

        public Claimants With(PortSlot slot) => this with { Others = [.. Others ?? [], slot] };

        /// <summary>Null: no claimant is left.</summary>
        public Claimants? Without(PortSlot slot)
        {
            PortSlot[] left = [.. All.Where(s => !ReferenceEquals(s, slot))];
            return left.Length == 0 ? null : new Claimants(left[0], left.Length == 1 ? null : left[1..]);
        }
    }
}
