using System.Net;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>
/// A route that carries our protocol number. Without a gateway it leads straight
/// to a device: the tunnel's, or a pod's, which belongs to the CNI path.
/// </summary>
/// <param name="Destination">Whereto.</param>
/// <param name="Gateway">The next hop.</param>
/// <param name="Ifindex">The device; 0 to have the kernel find it by the gateway.</param>
/// <param name="PreferredSource">What the node's own packets get as their source; null: the kernel chooses.</param>
internal readonly record struct OwnedRoute(IPNetwork Destination, IPAddress? Gateway, int Ifindex, IPAddress? PreferredSource = null);

/// <summary>The kernel's routes with our protocol number.</summary>
internal interface IRouteKernel
{
    /// <summary>
    /// Whether routes may have changed since <see cref="Read"/>, or since
    /// this was asked last, otherwise than by this object. True at first.
    /// </summary>
    /// <param name="table">Says which of them count.</param>
    bool Changed(RouteTable table);

    /// <summary>All of them, pods' too.</summary>
    IReadOnlyList<OwnedRoute> Read();

    /// <summary>Adds beside all others.</summary>
    /// <exception cref="KernelException">EEXIST if there is a route to this destination, whatever its owner.</exception>
    void Add(OwnedRoute route);

    /// <summary>Replaces the route to this destination, at once, whatever its owner: call it only where that is one of ours.</summary>
    void Replace(OwnedRoute route);

    /// <summary>Deletes; an absent one is no error.</summary>
    void Delete(OwnedRoute route);
}
