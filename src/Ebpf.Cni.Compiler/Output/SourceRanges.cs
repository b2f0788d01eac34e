using Ebpf.Cni.Compiler.Addresses;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>
/// Who may use a service's load balancer addresses, of each family. Only those: node ports are not filtered ("for better or worse",
/// kube-proxy's nftables/proxier.go). A family without a usable range is open to all, as there (MapCIDRsByIPFamily): to let in some of IPv4
/// says nothing about IPv6.
/// </summary>
internal sealed record SourceRanges(AddressRange[] IPv4, AddressRange[] IPv6)
{
    public static readonly SourceRanges None = new([], []);

    public AddressRange[] Of(bool ipv4) => ipv4 ? IPv4 : IPv6;
}
