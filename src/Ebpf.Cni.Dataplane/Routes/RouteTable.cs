using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>A route that carries our protocol number. Without a gateway it leads straight to a device: a pod's, which belongs to the CNI path.</summary>
internal readonly record struct OwnedRoute(IPNetwork Destination, IPAddress? Gateway, int Ifindex);

/// <summary>The kernel's routes with our protocol number.</summary>
internal interface IRouteKernel
{
    IReadOnlyList<OwnedRoute> Read();

    /// <summary>Adds beside all others; the kernel finds the device by the gateway.</summary>
    /// <exception cref="KernelException">EEXIST if there is a route to this destination, anybody's.</exception>
    void Add(DesiredRoute route);

    /// <summary>Replaces the route to this destination, at once, whoever owns it: call it only where that is one of ours.</summary>
    void Replace(DesiredRoute route);

    /// <summary>Deletes; an absent one is no error.</summary>
    void Delete(OwnedRoute route);
}

/// <summary>What an apply of routes did; failures are tried again by the next one.</summary>
public sealed record RouteResult(int Replaced, int Deleted, ImmutableArray<ApplyError> Errors);

/// <summary>
/// The routes to other nodes' pods, in the main table of the network namespace of the calling thread. Ours are those with protocol
/// <see cref="Protocol"/> and a gateway; no other route is touched. Nothing is remembered: every apply compares with what the kernel holds.
/// </summary>
public sealed class RouteTable
{
    /// <summary>The routing protocol number that marks every route of the agent.</summary>
    public const byte Protocol = 0x65;

    private readonly IRouteKernel _kernel;

    internal RouteTable(IRouteKernel kernel) => _kernel = kernel;

    /// <summary>Makes our routes exactly these: missing and different ones first, then what is not desired any more.</summary>
    /// <exception cref="KernelException">The routes cannot be read.</exception>
    public RouteResult Apply(ImmutableArray<DesiredRoute> desired)
    {
        var wanted = desired.ToDictionary(r => r.Destination);
        var served = new HashSet<IPNetwork>();
        var others = new List<OwnedRoute>();
        foreach (var route in _kernel.Read().Where(r => r.Gateway is not null))
        {
            if (wanted.TryGetValue(route.Destination, out var want) && Equals(want.Gateway, route.Gateway))
                served.Add(route.Destination);
            else
                others.Add(route);
        }
        // One with a wanted destination and another gateway is replaced, unless the right one is there beside it.
        var obsolete = others.Where(r => !wanted.ContainsKey(r.Destination) || served.Contains(r.Destination)).ToList();

        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        var outdated = others.Select(r => r.Destination).ToHashSet();
        var missing = desired.Where(r => !served.Contains(r.Destination)).ToList();
        var replaced = missing.Count(r => Try(
            errors, $"route to {r.Destination} through {r.Gateway} ({r.Node})", () => Put(r, outdated.Contains(r.Destination))));
        var deleted = obsolete.Count(r => Try(errors, $"delete the route to {r.Destination} through {r.Gateway}", () => _kernel.Delete(r)));
        return new RouteResult(replaced, deleted, errors.DrainToImmutable());
    }

    /// <summary>
    /// A podCIDR is what somebody wrote into a Node: if it is the node's own network, replacing blindly would cut the node off.
    /// </summary>
    private void Put(DesiredRoute route, bool ours)
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
