using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// The addresses of a service, read and checked. Each family that the service has a cluster IP of is served, and no other: external
/// addresses of the other family are not served (kube-proxy makes service ports for the families of cluster IPs only,
/// servicechangetracker.go).
/// </summary>
/// <param name="ClusterIPs">At most one of a family.</param>
/// <param name="LoadBalancers">None of them a cluster IP.</param>
/// <param name="Externals">None of them a cluster IP or a load balancer's.</param>
internal sealed record ServiceAddresses(List<Addr> ClusterIPs, List<Addr> LoadBalancers, List<Addr> Externals)
{
    public bool Has(bool ipv4) => ClusterIPs.Exists(a => a.IsIPv4 == ipv4);

    public static ServiceAddresses Read(ServiceSnapshot service, ServiceContext node, IssueCollector issues)
    {
        var clusterIPs = ReadClusterIPs(service, issues);
        // The API server empties status.loadBalancer when the type changes, but only some time later.
        List<Addr> balancers = service.Type != "LoadBalancer" || service.LoadBalancerIPs.IsDefaultOrEmpty
            ? []
            : ReadOthers(service.LoadBalancerIPs, "load balancer address", LoadBalancerReasons, clusterIPs, issues);
        List<Addr> externals = service.ExternalIPs.IsDefaultOrEmpty
            ? []
            : node.Context.ExternalIPs
                ? ReadOthers(service.ExternalIPs, "external IP", ExternalReasons, clusterIPs, issues)
                : Refuse(service.ExternalIPs, issues);
        externals.RemoveAll(balancers.Contains); // the balancer's rules, its source ranges, are the stricter ones
        clusterIPs.RemoveAll(a => !node.Serves(a.IsIPv4));
        balancers.RemoveAll(a => !node.Serves(a.IsIPv4));
        externals.RemoveAll(a => !node.Serves(a.IsIPv4));
        return new ServiceAddresses(clusterIPs, balancers, externals);
    }

    private sealed record Reasons(string Invalid, string NotAllowed, string WrongFamily, string Duplicate);

    private static readonly Reasons LoadBalancerReasons = new(
        IssueReason.LoadBalancerIPInvalid, IssueReason.LoadBalancerIPNotAllowed, IssueReason.LoadBalancerIPWrongFamily,
        IssueReason.LoadBalancerIPDuplicate);

    private static readonly Reasons ExternalReasons = new(
        IssueReason.ExternalIPInvalid, IssueReason.ExternalIPNotAllowed, IssueReason.ExternalIPWrongFamily,
        IssueReason.ExternalIPDuplicate);

    private static List<Addr> ReadClusterIPs(ServiceSnapshot service, IssueCollector issues)
    {
        var addresses = new List<Addr>(service.ClusterIPs.Length);
        foreach (var text in service.ClusterIPs)
        {
            if (!AddrText.TryParse(text, out var address))
                issues.Add(IssueReason.ClusterIPInvalid, $"cluster IP {IssueCollector.Quote(text)} is not an address; it is not served");
            else if (AddrClass.Special(address) is { } special)
                issues.Add(IssueReason.ClusterIPNotAllowed, $"cluster IP {address} is {special}; it is not served");
            else if (addresses.Exists(a => a.IsIPv4 == address.IsIPv4))
                issues.Add(IssueReason.ClusterIPWrongFamily,
                    $"cluster IP {address} is a second {Family(address)} address; only the first of a family is served");
            else
                addresses.Add(address);
        }
        return addresses;
    }

    private static List<Addr> ReadOthers(
        ImmutableArray<string> texts, string what, Reasons reasons, List<Addr> clusterIPs, IssueCollector issues)
    {
        var addresses = new List<Addr>(texts.Length);
        var seen = new HashSet<Addr>(clusterIPs);
        foreach (var text in texts)
        {
            if (!AddrText.TryParse(text, out var address))
                issues.Add(reasons.Invalid, $"{what} {IssueCollector.Quote(text)} is not an address; it is not served");
            else if (AddrClass.Special(address) is { } special)
                issues.Add(reasons.NotAllowed, $"{what} {address} is {special}; it is not served");
            else if (!clusterIPs.Exists(a => a.IsIPv4 == address.IsIPv4))
                issues.Add(reasons.WrongFamily, $"{what} {address} is not served: the Service has no {Family(address)} cluster IP");
            else if (!seen.Add(address))
                issues.Add(reasons.Duplicate, $"{what} {address} is already an address of the Service; it is served once");
            else
                addresses.Add(address);
        }
        return addresses;
    }

    private static List<Addr> Refuse(ImmutableArray<string> externalIPs, IssueCollector issues)
    {
        foreach (var text in externalIPs)
            issues.Add(IssueReason.ExternalIPRefused,
                $"external IP {IssueCollector.Quote(text)} is not served: the external-ips option is off");
        return [];
    }

    private static string Family(Addr address) => address.IsIPv4 ? "IPv4" : "IPv6";
}
