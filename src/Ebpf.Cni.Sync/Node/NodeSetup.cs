using System.Net.Sockets;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// What the node itself needs to route for its pods, for the families that it has pods of and no others. Looked at first, written only
/// where different. An agent sets nothing back when it ends; uninstalling does, by what <paramref name="former"/> has recorded.
/// </summary>
/// <param name="settings">Of the node.</param>
/// <param name="log">For what is set, and what cannot be.</param>
/// <param name="former">Records values before they are changed; null: they are not recorded.</param>
public sealed partial class NodeSetup(SysctlTree settings, ILogger<NodeSetup> log, FormerSettings? former = null)
{
    private const string ForwardIPv4Setting = "ipv4/ip_forward", ForwardIPv6Setting = "ipv6/conf/all/forwarding";

    /// <summary>What <see cref="TranslateOwnPackets"/> sets.</summary>
    private static readonly IReadOnlyList<(string Name, string Value)> OfLoopback =
        [("ipv4/conf/lo/accept_local", "1"), ("ipv4/conf/lo/route_localnet", "1"), ("ipv4/conf/lo/rp_filter", "2")];

    private readonly Lock _lock = new();
    private readonly HashSet<string> _logged = [];

    /// <summary>
    /// Any network of pods needs this setting: forwarding, and the router advertisements of a node that forwards.
    /// </summary>
    public static bool IsForwarding(string name) =>
        name is ForwardIPv4Setting or ForwardIPv6Setting || name.EndsWith("/accept_ra", StringComparison.Ordinal);

    /// <summary>The node's settings that may be an agent's, whatever they were before, with the agent's values.</summary>
    public static IEnumerable<(string Name, string Value)> Settings =>
        [(ForwardIPv4Setting, "1"), (ForwardIPv6Setting, "1"), .. OfLoopback];

    /// <summary>Called periodically: sysctl --system disables forwarding again.</summary>
    public void Run(IEnumerable<AddressFamily> families)
    {
        ArgumentNullException.ThrowIfNull(families);
        lock (_lock)
        {
            foreach (var family in families)
            {
                if (family == AddressFamily.InterNetwork)
                    Set(ForwardIPv4Setting, "1", FormerSettings.ChangedWithForwardingIPv4);
                else if (settings.Has(ForwardIPv6Setting))
                    ForwardIPv6();
                else if (_logged.Add("no IPv6"))
                    Log.NoIPv6(log);
            }
        }
    }

    /// <summary>
    /// For connections of the node's own processes from and to loopback addresses, and with socket-lb off for all of their connections:
    /// they are translated per packet, not at the socket. Replies are redirected into lo with one of the node's own addresses as their
    /// source, which the kernel drops as spoofed unless accept_local is on. Replies to a client at 127.0.0.1 need route_localnet: they
    /// were on no loopback device before. No route to a Service's address leaves by lo, so the reverse path filter is loose there:
    /// the larger of a device's own value and that of all counts, and loose (2) beats strict (1). All for lo alone, where nothing from
    /// outside arrives; kube-proxy sets the second for all devices.
    /// </summary>
    public void TranslateOwnPackets()
    {
        foreach (var (name, value) in OfLoopback)
            Set(name, value);
    }

    /// <summary>
    /// A forwarding host stops listening to router advertisements and drops the default route that it has from one, unless an interface's
    /// accept_ra is 2: a node that lives by them would cut itself off.
    /// </summary>
    private void ForwardIPv6()
    {
        if (!settings.Is(ForwardIPv6Setting, "1"))
        {
            // Devices come and go meanwhile: one that is gone needs nothing.
            foreach (var name in settings.Directories("ipv6/conf"))
            {
                if (name is not ("all" or "default" or "lo") && !name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal)
                    && settings.Is($"ipv6/conf/{name}/accept_ra", "1"))
                    Set($"ipv6/conf/{name}/accept_ra", "2");
            }
        }

        Set(ForwardIPv6Setting, "1", FormerSettings.ChangedWithForwardingIPv6);
    }

    /// <param name="name">With slashes.</param>
    /// <param name="value">As it reads back.</param>
    /// <param name="along">Settings that the kernel changes with it.</param>
    private void Set(string name, string value, Func<SysctlTree, IEnumerable<string>>? along = null)
    {
        try
        {
            if (former is not null && settings.Read(name) is { } was && was != value)
                Record(former, new FormerSetting(name, was, value), along);
            if (settings.Ensure(name, value))
                Log.Set(log, name, value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Read-only, without --sysctl-root in a container: the node may be set up by its owner all the same.
            if (_logged.Add(name))
                Log.CannotSet(log, name, value, e.Message);
        }
    }

    /// <summary>A full disk must not keep pods from their network: the value is changed all the same.</summary>
    private void Record(FormerSettings record, FormerSetting setting, Func<SysctlTree, IEnumerable<string>>? along)
    {
        try
        {
            record.Record(setting, along?.Invoke(settings) ?? []);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_logged.Add("record " + setting.Name))
                Log.NotRecorded(log, setting.Name, setting.Was, e.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3204, LogLevel.Warning,
            "net/{Name} was {Value}: that cannot be recorded, and uninstalling will not restore it ({Cause})")]
        public static partial void NotRecorded(ILogger log, string name, string value, string cause);

        [LoggerMessage(3201, LogLevel.Information, "sysctl net/{Name} set to {Value}")]
        public static partial void Set(ILogger log, string name, string value);

        [LoggerMessage(3202, LogLevel.Error,
            "sysctl net/{Name} is not {Value} and cannot be set: forwarding for pods, or (lo) Services for clients on this node, "
            + "will fail ({Cause})")]
        public static partial void CannotSet(ILogger log, string name, string value, string cause);

        [LoggerMessage(3203, LogLevel.Error,
            "the node has an IPv6 podCIDR, but its kernel has IPv6 disabled (ipv6.disable=1): no pod can start")]
        public static partial void NoIPv6(ILogger log);
    }
}
