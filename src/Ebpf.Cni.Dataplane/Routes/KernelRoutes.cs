using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>Our routes through rtnetlink, in the network namespace of the thread that made this object.</summary>
internal sealed class KernelRoutes : IRouteKernel, IDisposable
{
    private readonly RouteNetlink _netlink = RouteNetlink.Open();

    public IReadOnlyList<OwnedRoute> Read() =>
        [.. _netlink.Routes(RouteTable.Protocol).Select(r => new OwnedRoute(r.Destination, r.Gateway, r.Ifindex, r.PreferredSource))];

    public void Add(OwnedRoute route) => _netlink.AddRoute(Ours(route));

    public void Replace(OwnedRoute route) => _netlink.ReplaceRoute(Ours(route));

    public void Delete(OwnedRoute route)
    {
        try
        {
            _netlink.DeleteRoute(Ours(route));
        }
        catch (KernelException e) when (e.Errno == Errno.ESRCH)
        {
            // Somebody was faster, or its device has gone.
        }
    }

    public void Dispose() => _netlink.Dispose();

    private static Route Ours(OwnedRoute route) => new(route.Destination, route.Ifindex)
    {
        Gateway = route.Gateway,
        PreferredSource = route.PreferredSource,
        Protocol = RouteTable.Protocol,
    };
}
