using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Health check node ports (NeedsHealthCheck: type LoadBalancer with externalTrafficPolicy Local).</summary>
internal static class HealthCheck
{
    public static DesiredHealthCheck? Read(
        ObjectName name, ServiceSnapshot service, ServiceAddresses addresses, List<SliceEndpoints> slices, IssueCollector issues)
    {
        if (service.Type != "LoadBalancer" || !service.ExternalLocal || service.HealthCheckNodePort == 0 || addresses.ClusterIPs.Count == 0)
            return null;
        if (service.HealthCheckNodePort is > 0 and <= ushort.MaxValue)
            return new DesiredHealthCheck(name, (ushort)service.HealthCheckNodePort, LocalEndpoints(slices, addresses));
        issues.Add(IssueReason.HealthCheckPortOutOfRange, string.Create(CultureInfo.InvariantCulture,
            $"health check node port {service.HealthCheckNodePort} is not 1 to 65535; it is not answered"));
        return null;
    }

    /// <summary>
    /// Addresses, not ports, that are local and ready; what only terminates does not count (LocalReadyEndpoints,
    /// pkg/proxy/endpointslicecache.go). kube-proxy counts and answers for each family by itself; here one port answers for both, and a pod
    /// with two addresses must not count twice.
    /// </summary>
    private static int LocalEndpoints(List<SliceEndpoints> slices, ServiceAddresses addresses)
    {
        var most = 0;
        foreach (var clusterIP in addresses.ClusterIPs)
        {
            var local = new HashSet<Addr>();
            foreach (var slice in slices)
                if (slice.IsIPv4 == clusterIP.IsIPv4 && slice.Ports.Length > 0)
                    foreach (var endpoint in slice.Endpoints)
                        if (endpoint.Has(EndpointTraits.Local | EndpointTraits.Ready))
                            local.Add(endpoint.Addr);
            most = Math.Max(most, local.Count);
        }
        return most;
    }
}
