using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>
/// A route that carries our protocol number. Without a gateway it leads straight to a device: the tunnel's, or a pod's, which belongs to the CNI path.
/// </summary>
/// <param name="Destination">Whereto.</param>
/// <param name="Gateway">The next hop.</param>
/// <param name="Ifindex">The device; 0 to have the kernel find it by the gateway.</param>
/// <param name="PreferredSource">What the node's own packets get as their source; null: the kernel chooses.</param>
internal readonly record struct OwnedRoute(IPNetwork Destination, IPAddress? Gateway, int Ifindex, IPAddress? PreferredSource = null);

/// <summary>The kernel's routes with our protocol number.</summary>
internal interface IRouteKernel
{
    IReadOnlyList<OwnedRoute> Read();

    /// <summary>Adds beside all others.</summary>
    /// <exception cref="KernelException">EEXIST if there is a route to this destination, anybody's.</exception>
    void Add(OwnedRoute route);

    /// <summary>Replaces the route to this destination, at once, whoever owns it: call it only where that is one of ours.</summary>
    void Replace(OwnedRoute route);

    /// <summary>Deletes; an absent one is no error.</summary>
    void Delete(OwnedRoute route);
}

/// <summary>The device of the tunnel, and what the node's own packets into it have as their source. The kernel must have the addresses.</summary>
/// <param name="Ifindex">In the network namespace of the routes.</param>
/// <param name="SourceV4">The node's address; null: none of this family, and the kernel chooses.</param>
/// <param name="SourceV6">The same for IPv6.</param>
public sealed record TunnelRoute(int Ifindex, IPAddress? SourceV4, IPAddress? SourceV6)
{
    internal IPAddress? Source(IPNetwork destination) => destination.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? SourceV4 : SourceV6;
}

/// <summary>What an apply of routes did; failures are tried again by the next one.</summary>
public sealed record RouteResult(int Replaced, int Deleted, ImmutableArray<ApplyError> Errors);

/// <summary>
/// The routes to other nodes' pods, in the main table of the network namespace of the calling thread. Ours are those with protocol
/// <see cref="Protocol"/> and a gateway, or to the tunnel's device; no other route is touched. Nothing is remembered: every apply compares with what the kernel holds.
/// </summary>
public sealed class RouteTable
{
    /// <summary>The routing protocol number that marks every route of the agent.</summary>
    public const byte Protocol = 0x65;

    private readonly IRouteKernel _kernel;

    internal RouteTable(IRouteKernel kernel) => _kernel = kernel;

    /// <summary>Makes our routes exactly these: missing and different ones first, then what is not desired any more.</summary>
    /// <param name="desired">Each destination once.</param>
    /// <param name="tunnel">Where routes without a gateway lead; null without a tunnel: then they are errors.</param>
    /// <exception cref="KernelException">The routes cannot be read.</exception>
    public RouteResult Apply(ImmutableArray<DesiredRoute> desired, TunnelRoute? tunnel = null)
    {
        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        var wanted = new Dictionary<IPNetwork, OwnedRoute>();
        foreach (var route in desired)
            if (route.Gateway is not null)
                wanted.Add(route.Destination, new OwnedRoute(route.Destination, route.Gateway, 0));
            else if (tunnel is not null)
                wanted.Add(route.Destination, new OwnedRoute(route.Destination, null, tunnel.Ifindex, tunnel.Source(route.Destination)));
            else
                errors.Add(new ApplyError(Text(route), new KernelException("there is no tunnel", Errno.ENODEV)));
        var served = new HashSet<IPNetwork>();
        var others = new List<OwnedRoute>();
        foreach (var route in _kernel.Read().Where(r => r.Gateway is not null || r.Ifindex == tunnel?.Ifindex))
        {
            if (wanted.TryGetValue(route.Destination, out var want) && Serves(route, want))
                served.Add(route.Destination);
            else
                others.Add(route);
        }
        // One with a wanted destination and another way is replaced, unless the right one is there beside it.
        var obsolete = others.Where(r => !wanted.ContainsKey(r.Destination) || served.Contains(r.Destination)).ToList();

        var outdated = others.Select(r => r.Destination).ToHashSet();
        var missing = desired.Where(r => wanted.ContainsKey(r.Destination) && !served.Contains(r.Destination)).ToList();
        var replaced = missing.Count(r => Try(errors, Text(r), () => Put(wanted[r.Destination], outdated.Contains(r.Destination))));
        var deleted = obsolete.Count(r => Try(errors, $"delete the route to {r.Destination} through {Way(r.Gateway)}", () => _kernel.Delete(r)));
        return new RouteResult(replaced, deleted, errors.DrainToImmutable());
    }

    private static bool Serves(in OwnedRoute held, in OwnedRoute want) => want.Gateway is null
        ? held.Gateway is null && held.Ifindex == want.Ifindex && Equals(held.PreferredSource, want.PreferredSource)
        : want.Gateway.Equals(held.Gateway);

    private static string Text(DesiredRoute route) => $"route to {route.Destination} through {Way(route.Gateway)} ({route.Node})";

    private static string Way(IPAddress? gateway) => gateway?.ToString() ?? "the tunnel";

    /// <summary>
    /// A podCIDR is what somebody wrote into a Node: if it is the node's own network, replacing blindly would cut the node off.
    /// </summary>
    private void Put(in OwnedRoute route, bool ours)
    {
        if (ours)
            _kernel.Replace(route);
        else
            _kernel.Add(route);
    }

    private static bool Try(ImmutableArray<ApplyError>.Builder errors, string what, Action write)
    {
        try
        {
            write();
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.EEXIST)
        {
            errors.Add(new ApplyError($"{what}: a route that is not ours leads there and was left as it is", e));
            return false;
        }
        catch (KernelException e)
        {
            errors.Add(new ApplyError(what, e));
            return false;
        }
    }
}
