using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>Our routes through rtnetlink, in the network namespace of the thread that made this object.</summary>
internal sealed class KernelRoutes : IRouteKernel, IDisposable
{
    private readonly RouteNetlink _netlink = RouteNetlink.Open();

    public IReadOnlyList<OwnedRoute> Read() =>
        [.. _netlink.Routes(RouteTable.Protocol).Select(r => new OwnedRoute(r.Destination, r.Gateway, r.Ifindex))];

    public void Add(DesiredRoute route) => _netlink.AddRoute(Ours(route));

    public void Replace(DesiredRoute route) => _netlink.ReplaceRoute(Ours(route));

    public void Delete(OwnedRoute route)
    {
        try
        {
            _netlink.DeleteRoute(new Route(route.Destination, route.Ifindex) { Gateway = route.Gateway, Protocol = RouteTable.Protocol });
        }
        catch (KernelException e) when (e.Errno == Errno.ESRCH)
        {
            // Somebody was faster, or its device has gone.
        }
    }

    public void Dispose() => _netlink.Dispose();

    private static Route Ours(DesiredRoute route) =>
        new(route.Destination, Ifindex: 0) { Gateway = route.Gateway, Protocol = RouteTable.Protocol };
}
