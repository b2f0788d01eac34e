using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Living pods follow the MTU: both sides of their veths. A smaller MTU of a later plugin in the chain stays. Pods whose ADD is under way
/// are looked at again a moment later.
/// </summary>
public sealed partial class PodMtuService(
    IPodMtu mtu, EndpointStore endpoints, TimeSpan period, TimeProvider time, ILogger<PodMtuService> log) : BackgroundService
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var changed = mtu.Changed;
            var settled = Follow();
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(changed, Task.Delay(settled ? period : Soon, time, stop.Token));
            await stop.CancelAsync();
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    /// <returns>False if an endpoint needs another pass.</returns>
    private bool Follow()
    {
        var (settled, followed) = (true, 0);
        try
        {
            var wanted = mtu.Value;
            foreach (var endpoint in endpoints.All)
            {
                if (!endpoint.Ready)
                    settled = false;
                else if (endpoint.Mtu > 0 && endpoint.Mtu != wanted)
                    followed += Follow(endpoint, wanted) ? 1 : 0;
            }

            if (followed > 0)
                Log.Followed(log, followed, wanted);
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            Log.NotRead(log, e.Message);
        }

        return settled;
    }

    private bool Follow(EndpointRecord endpoint, int wanted)
    {
        try
        {
            // A pod that sends less first never sends what its other side would not take.
            using (var pod = NetworkNamespace.Open(endpoint.Netns))
            using (var inside = RouteNetlink.Open(pod))
                Set(inside, endpoint.Ifname, endpoint.Mtu, wanted);
            using (var node = RouteNetlink.Open())
                Set(node, endpoint.Key.HostInterface, endpoint.Mtu, wanted);
            return endpoints.TryReplace(endpoint, endpoint with { Mtu = wanted });
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException or IOException or UnauthorizedAccessException)
        {
            // It is being removed, or the next look has more luck.
            Log.NotSet(log, endpoint.Key, wanted, e.Message);
            return false;
        }
    }

    private static void Set(RouteNetlink netlink, string name, int before, int wanted)
    {
        if (netlink.FindLink(name) is { } link && link.Mtu != wanted && (link.Mtu == before || link.Mtu > wanted))
            netlink.SetMtu(link.Index, wanted);
    }

    private static partial class Log
    {
        [LoggerMessage(3221, LogLevel.Information, "MTU of {Pods} running pods set to {Mtu}")]
        public static partial void Followed(ILogger log, int pods, int mtu);

        [LoggerMessage(3222, LogLevel.Warning, "MTU of endpoint {Endpoint} cannot be set to {Mtu}: {Cause}")]
        public static partial void NotSet(ILogger log, EndpointKey endpoint, int mtu, string cause);

        [LoggerMessage(3223, LogLevel.Error, "pod MTU cannot be determined; running pods keep their MTU: {Cause}")]
        public static partial void NotRead(ILogger log, string cause);
    }
}
