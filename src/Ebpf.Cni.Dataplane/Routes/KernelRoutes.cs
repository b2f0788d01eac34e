using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Routes;

/// <summary>Our routes through rtnetlink, in the network namespace of the thread that made this object.</summary>
internal sealed class KernelRoutes : IRouteKernel, IDisposable
{
    private static readonly NetworkSubscription Subscription = new()
    {
        Routes = RouteEvents.OfProtocol | RouteEvents.Replacements, Protocol = RouteTable.Protocol, NextHops = false, Arrivals = false,
    };

    private readonly RouteNetlink _netlink = RouteNetlink.Open();
    private readonly NetworkEvents _events = NetworkEvents.Open(Subscription);
    private readonly uint _port;

    /// <summary>By which our routes with a gateway leave: IPv4's go with them in silence.</summary>
    private readonly HashSet<int> _devices = [];

    private bool _unread = true;

    public KernelRoutes() => _port = _netlink.Port;

    public bool Changed(RouteTable table)
    {
        var changed = _unread;
        _unread = false;
        _events.Read(change => changed |= Matters(change, table));
        return changed;
    }

    public IReadOnlyList<OwnedRoute> Read()
    {
        _devices.Clear();
        List<OwnedRoute> routes =
        [
            .. _netlink.Routes(RouteTable.Protocol).Select(r => new OwnedRoute(r.Destination, r.Gateway, r.Ifindex, r.PreferredSource)),
        ];
        _devices.UnionWith(routes.Where(r => r.Gateway is not null).Select(r => r.Ifindex));
        return routes;
    }

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
            // Another process was faster, or its device is gone.
        }
    }

    public void Dispose()
    {
        _events.Dispose();
        _netlink.Dispose();
    }

    private bool Matters(NetworkEvent change, RouteTable table)
    {
        switch (change.Kind)
        {
            case NetworkEventKind.Lost:
                return true;
            case NetworkEventKind.RouteSet or NetworkEventKind.RouteGone when change.Requester == _port:
                // The kernel has found the device by the gateway.
                if (change is { HasGateway: true, Ifindex: > 0 })
                    _devices.Add(change.Ifindex);
                return false;
            case NetworkEventKind.RouteSet or NetworkEventKind.RouteGone:
                return change.Table == Route.MainTable
                    && (table.Wants(change.Destination)
                        || (change.Protocol == RouteTable.Protocol && table.IsOurs(change.HasGateway, change.Ifindex)));
            case NetworkEventKind.LinkSet:
                return change.WentDown && Leaves(change.Ifindex, table);
            case NetworkEventKind.LinkGone or NetworkEventKind.AddressGone:
                return Leaves(change.Ifindex, table) || table.HasSource(change.Address);
            default:
                return false;
        }
    }

    private bool Leaves(int ifindex, RouteTable table) => _devices.Contains(ifindex) || table.IsOurs(hasGateway: false, ifindex);

    private static Route Ours(OwnedRoute route) => new(route.Destination, route.Ifindex)
    {
        Gateway = route.Gateway,
        PreferredSource = route.PreferredSource,
        Protocol = RouteTable.Protocol,
    };
}
