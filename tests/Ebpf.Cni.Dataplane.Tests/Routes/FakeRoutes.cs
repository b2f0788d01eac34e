using System.Net;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Dataplane.Tests.Routes;

/// <summary>A kernel's routes, which refuses as it is told.</summary>
internal sealed class FakeRoutes : IRouteKernel
{
    /// <summary>The tunnel's device.</summary>
    public const int Tunnel = 9;

    public List<OwnedRoute> Routes { get; } = [];

    public HashSet<IPNetwork> Foreign { get; } = [];

    public Func<bool> Fails { get; set; } = () => false;

    public int Error { get; set; } = Errno.ENETUNREACH;

    /// <summary>Routes may have changed; true until it was asked for.</summary>
    public bool Told { get; set; } = true;

    public bool Changed(RouteTable table)
    {
        var told = Told;
        Told = false;
        return told;
    }

    public IReadOnlyList<OwnedRoute> Read() => [.. Routes];

    public void Add(OwnedRoute route)
    {
        ThrowIfFailing();
        if (Foreign.Contains(route.Destination) || Routes.Exists(r => r.Destination.Equals(route.Destination)))
            throw new KernelException("injected", Errno.EEXIST);
        Routes.Add(Resolved(route));
    }

    public void Replace(OwnedRoute route)
    {
        ThrowIfFailing();
        Assert.Contains(Routes, r => r.Destination.Equals(route.Destination) && (r.Gateway is not null || r.Ifindex == Tunnel));
        Routes.RemoveAll(r => r.Destination.Equals(route.Destination));
        Routes.Add(Resolved(route));
    }

    public void Delete(OwnedRoute route)
    {
        ThrowIfFailing();
        Routes.Remove(Resolved(route));
    }

    // the kernel finds the device by the gateway
    private static OwnedRoute Resolved(OwnedRoute route) => route.Ifindex == 0 ? route with { Ifindex = 2 } : route;

    private void ThrowIfFailing()
    {
        if (Fails())
            throw new KernelException("injected", Error);
    }
}
