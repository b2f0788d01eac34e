using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>
/// The device of the tunnel, and what the node's own packets into it have as their source. The kernel must have the addresses.
/// </summary>
/// <param name="Ifindex">In the network namespace of the routes.</param>
/// <param name="SourceV4">The node's address; null: none of this family, and the kernel chooses.</param>
/// <param name="SourceV6">The same for IPv6.</param>
public sealed record TunnelRoute(int Ifindex, IPAddress? SourceV4, IPAddress? SourceV6)
{
    internal IPAddress? Source(IPNetwork destination) =>
        destination.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? SourceV4 : SourceV6;
}

/// <summary>What an apply of routes did; failures are tried again by the next one.</summary>
public sealed record RouteResult(int Replaced, int Deleted, ImmutableArray<ApplyError> Errors);

/// <summary>
/// The routes to other nodes' pods, in the main table of the network namespace of the calling thread. Ours are those with
/// protocol <see cref="Protocol"/> and a gateway, or to the tunnel's device; no other route is touched. What was set is
/// remembered, and the kernel is asked for its routes again only after an event for one of ours, has lost count, or
/// has refused something: an apply without changes costs one look at the events. For one thread, but for <see cref="Wants"/>.
/// </summary>
public sealed class RouteTable
{
    /// <summary>The routing protocol number that marks every route of the agent.</summary>
    public const byte Protocol = 0x65;

    private readonly IRouteKernel _kernel;

    /// <summary>What the kernel has of ours, each destination once; null: it is to be read.</summary>
    private Dictionary<IPNetwork, OwnedRoute>? _held;

    /// <summary>Ours that have a destination of another beside them.</summary>
    private List<OwnedRoute> _surplus = [];

    private Dictionary<IPNetwork, OwnedRoute> _wanted = [];
    private ImmutableArray<DesiredRoute> _desired;
    private TunnelRoute? _tunnel;
    private bool _pending;

    /// <summary>A write may have been done or not.</summary>
    private bool _unsure;

    internal RouteTable(IRouteKernel kernel) => _kernel = kernel;

    /// <summary>How often the kernel was asked for its routes.</summary>
    internal int Reads { get; private set; }

    /// <summary>Makes our routes exactly these: missing and different ones first, then what is not desired any more.</summary>
    /// <param name="desired">Each destination once.</param>
    /// <param name="tunnel">Where routes without a gateway lead; null without a tunnel: then they are errors.</param>
    /// <exception cref="KernelException">The routes cannot be read.</exception>
    public RouteResult Apply(ImmutableArray<DesiredRoute> desired, TunnelRoute? tunnel = null)
    {
        var changed = _kernel.Changed(this);
        if (changed || _unsure || tunnel?.Ifindex != _tunnel?.Ifindex)
            _held = null;
        if (_held is not null && !_pending && tunnel == _tunnel && desired == _desired)
            return new RouteResult(0, 0, []);
        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        var wanted = Wanted(desired, tunnel, errors);
        (_desired, _tunnel, _pending) = (desired, tunnel, true);
        Volatile.Write(ref _wanted, wanted);
        if (_held is null)
            Read(wanted);
        var held = _held!;
        var obsolete = held.Values.Where(r => !wanted.ContainsKey(r.Destination)).Concat(_surplus).ToList();
        var replaced = 0;
        foreach (var route in desired)
        {
            if (!wanted.TryGetValue(route.Destination, out var want))
                continue;
            var there = held.TryGetValue(route.Destination, out var known);
            if ((there && Serves(known, want)) || !Try(errors, Text(route), () => Put(want, there)))
                continue;
            held[route.Destination] = want;
            replaced++;
        }

        var deleted = obsolete.Count(r =>
            Try(errors, $"delete the route to {r.Destination} through {NextHop(r.Gateway)}", () => Delete(r)));
        _pending = errors.Count > 0;
        return new RouteResult(replaced, deleted, errors.DrainToImmutable());
    }

    /// <summary>The next apply asks the kernel for its routes, whether or not netlink reported a change.</summary>
    public void Forget() => _held = null;

    /// <summary>Whether this is the destination of one that was desired last. Thread-safe.</summary>
    public bool Wants(IPNetwork destination) => Volatile.Read(ref _wanted).ContainsKey(destination);

    /// <summary>Of routes with our protocol number.</summary>
    internal bool IsOurs(bool hasGateway, int ifindex) => hasGateway || (_tunnel is { } tunnel && tunnel.Ifindex == ifindex);

    /// <summary>Our routes have this address as their source: the kernel takes them away with it.</summary>
    internal bool HasSource(IPAddress? address) =>
        address is not null && (address.Equals(_tunnel?.SourceV4) || address.Equals(_tunnel?.SourceV6));

    private static Dictionary<IPNetwork, OwnedRoute> Wanted(
        ImmutableArray<DesiredRoute> desired, TunnelRoute? tunnel, ImmutableArray<ApplyError>.Builder errors)
    {
        var wanted = new Dictionary<IPNetwork, OwnedRoute>(desired.Length);
        foreach (var route in desired)
            if (route.Gateway is not null)
                wanted.Add(route.Destination, new OwnedRoute(route.Destination, route.Gateway, 0));
            else if (tunnel is not null)
                wanted.Add(route.Destination, new OwnedRoute(route.Destination, null, tunnel.Ifindex, tunnel.Source(route.Destination)));
            else
                errors.Add(new ApplyError(Text(route), new KernelException("no tunnel device", Errno.ENODEV)));
        return wanted;
    }

    private void Read(Dictionary<IPNetwork, OwnedRoute> wanted)
    {
        Reads++;
        _unsure = false;
        var held = new Dictionary<IPNetwork, OwnedRoute>();
        var surplus = new List<OwnedRoute>();
        foreach (var route in _kernel.Read().Where(r => IsOurs(r.Gateway is not null, r.Ifindex)))
        {
            if (held.TryAdd(route.Destination, route))
                continue;
            // Of two, the right one stays.
            var right = wanted.TryGetValue(route.Destination, out var want) && Serves(route, want);
            surplus.Add(right ? held[route.Destination] : route);
            if (right)
                held[route.Destination] = route;
        }

        (_held, _surplus) = (held, surplus);
    }

    private static bool Serves(in OwnedRoute held, in OwnedRoute want) => want.Gateway is null
        ? held.Gateway is null && held.Ifindex == want.Ifindex && Equals(held.PreferredSource, want.PreferredSource)
        : want.Gateway.Equals(held.Gateway);

    private static string Text(DesiredRoute route) => $"route to {route.Destination} through {NextHop(route.Gateway)} ({route.Node})";

    private static string NextHop(IPAddress? gateway) => gateway?.ToString() ?? "the tunnel";

    /// <summary>
    /// A podCIDR is user input of a Node object: if it is the node's own network, an unconditional replace would cut the node off.
    /// </summary>
    private void Put(in OwnedRoute route, bool ours)
    {
        if (ours)
            _kernel.Replace(route);
        else
            _kernel.Add(route);
    }

    private void Delete(OwnedRoute route)
    {
        _kernel.Delete(route);
        if (!_surplus.Remove(route))
            _held!.Remove(route.Destination);
    }

    private bool Try(ImmutableArray<ApplyError>.Builder errors, string what, Action write)
    {
        try
        {
            write();
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.EEXIST)
        {
            errors.Add(new ApplyError($"{what}: another route to this destination exists and was kept", e));
            return false;
        }
        catch (KernelException e)
        {
            errors.Add(new ApplyError(what, e));
            if (!IsRefusal(e.Errno))
                _unsure = true;
            return false;
        }
    }

    /// <summary>The kernel has looked and has changed nothing.</summary>
    private static bool IsRefusal(int errno) =>
        errno is Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.ENETDOWN or Errno.ENODEV or Errno.EINVAL;
}
