using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Who may use a service's load balancer addresses, of each family. Only those: node ports are not filtered ("for better or worse", kube-proxy's
/// nftables/proxier.go). A family without a usable range is open to all, as there (MapCIDRsByIPFamily): to let in some of IPv4 says nothing about IPv6.
/// </summary>
internal sealed record SourceRanges(AddressRange[] IPv4, AddressRange[] IPv6)
{
    public static readonly SourceRanges None = new([], []);

    public AddressRange[] Of(bool ipv4) => ipv4 ? IPv4 : IPv6;

    public static SourceRanges Read(ServiceSnapshot service, ServiceAddresses addresses, ServiceContext node, IssueCollector issues)
    {
        if (service.Type != "LoadBalancer" || service.LoadBalancerSourceRanges.IsDefaultOrEmpty)
            return None;
        var ranges = new List<PodCidr>(service.LoadBalancerSourceRanges.Length);
        foreach (var text in service.LoadBalancerSourceRanges)
            if (PodCidr.TryParse(text?.Trim(), out var range)) // the API's validation lets blanks pass (serviceport.go)
                ranges.Add(range);
            else
                issues.Add(IssueReason.SourceRangeInvalid, $"source range {IssueCollector.Quote(text)} is not a range of addresses; it is ignored");
        return new SourceRanges(Of(true, ranges, addresses, node), Of(false, ranges, addresses, node));
    }

    private static AddressRange[] Of(bool ipv4, List<PodCidr> ranges, ServiceAddresses addresses, ServiceContext node)
    {
        var balancers = addresses.LoadBalancers.FindAll(a => a.IsIPv4 == ipv4);
        if (balancers.Count == 0)
            return [];
        var allowed = new SortedSet<AddressRange>();
        foreach (var range in ranges)
            if (range.IsIPv4 == ipv4)
                AddressRange.Add(range, allowed);
        // A balancer's address is often an address of the node as well, and what the node sends to it then has it as source too: whoever lets the node
        // in must let that in (allowFromNode in kube-proxy's proxiers).
        if (node.Own(ipv4) is { } own && ranges.Exists(r => r.IsIPv4 == ipv4 && r.Contains(own)))
            allowed.UnionWith(balancers.ConvertAll(AddressRange.Host));
        return [.. allowed];
    }
}
