using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Reads a Service's loadBalancerSourceRanges.</summary>
internal static class SourceRangeReader
{
    public static SourceRanges Read(ServiceSnapshot service, ServiceAddresses addresses, ServiceContext node, IssueCollector issues)
    {
        if (service.Type != "LoadBalancer" || service.LoadBalancerSourceRanges.IsDefaultOrEmpty)
            return SourceRanges.None;
        var ranges = new List<PodCidr>(service.LoadBalancerSourceRanges.Length);
        foreach (var text in service.LoadBalancerSourceRanges)
            if (PodCidr.TryParse(text?.Trim(), out var range)) // the API's validation lets blanks pass (serviceport.go)
                ranges.Add(range);
            else
                issues.Add(IssueReason.SourceRangeInvalid,
                    $"source range {IssueCollector.Quote(text)} is not a range of addresses; it is ignored");
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
        // A balancer's address is often an address of the node as well, and what the node sends to it then has it as source too: ranges
        // that contain the node must contain that (allowFromNode in kube-proxy's proxiers).
        if (node.Own(ipv4) is { } own && ranges.Exists(r => r.IsIPv4 == ipv4 && r.Contains(own)))
            allowed.UnionWith(balancers.ConvertAll(AddressRange.Host));
        return [.. allowed];
    }
}
