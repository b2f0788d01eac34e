using System.Net.Sockets;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Settings of the node's side of a pod's veth, where they differ from what it was born with. Of this device alone: what others rely on is
/// left alone.
/// </summary>
internal static class HostSideSettings
{
    /// <summary>Or this kernel has no such setting.</summary>
    public static bool Forwards(SysctlTree sysctl, string name, AddressFamily family)
    {
        var setting = $"{(family == AddressFamily.InterNetwork ? "ipv4" : "ipv6")}/conf/{name}/forwarding";
        return !sysctl.Has(setting) || sysctl.Is(setting, "1");
    }

    /// <param name="sysctl">Where settings are written.</param>
    /// <param name="name">The device.</param>
    /// <param name="v4">The pod has an IPv4 address.</param>
    /// <param name="v6">It has an IPv6 address.</param>
    public static void Apply(SysctlTree sysctl, string name, bool v4, bool v6)
    {
        if (v4)
        {
            var settings = $"ipv4/conf/{name}";
            // Without, bpf_fib_lookup finds no route for the pod's packets; the default may be another than that of the device in use.
            sysctl.Ensure($"{settings}/forwarding", "1");
            // The pod has one gateway, and no pod is one.
            sysctl.Ensure($"{settings}/send_redirects", "0");
            sysctl.Ensure($"{settings}/accept_redirects", "0");
            // Its neighbours are fixed: proxy ARP and NDP have nothing to answer.
            sysctl.Ensure($"{settings}/proxy_arp", "0");
        }

        if (v6)
        {
            var settings = $"ipv6/conf/{name}";
            sysctl.Ensure($"{settings}/disable_ipv6", "0");
            sysctl.Ensure($"{settings}/forwarding", "1");
            sysctl.Ensure($"{settings}/accept_redirects", "0");
            sysctl.Ensure($"{settings}/proxy_ndp", "0");
        }

        // A pod is no router of the node's: its advertisements would bend the node's routes towards it.
        sysctl.Ensure($"ipv6/conf/{name}/accept_ra", "0");
    }
}
