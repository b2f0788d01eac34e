using System.Globalization;
using System.Text;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>
/// A table in the shape that kube-proxy's nftables mode gives it (pkg/proxy/nftables/README.md): one verdict map over all service ports, a
/// chain for each service that picks by number, a chain for each endpoint.
/// </summary>
internal static class NftablesRules
{
    private const string PodRange = "10.244.0.0/16";

    /// <summary>Everything, as input of nft -f.</summary>
    public static string Full(IReadOnlyList<BenchService> services)
    {
        var text = new StringBuilder("""
            add table ip kube-proxy
            add set ip kube-proxy cluster-ips { type ipv4_addr; }
            add map ip kube-proxy no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
            add map ip kube-proxy service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
            add map ip kube-proxy service-nodeports { type inet_proto . inet_service : verdict; }
            add chain ip kube-proxy mark-for-masquerade
            add rule ip kube-proxy mark-for-masquerade mark set mark or 0x4000
            add chain ip kube-proxy masquerading
            add rule ip kube-proxy masquerading mark and 0x4000 == 0 return
            add rule ip kube-proxy masquerading mark set mark xor 0x4000
            add rule ip kube-proxy masquerading masquerade fully-random
            add chain ip kube-proxy services
            add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips
            add rule ip kube-proxy services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports
            add chain ip kube-proxy service-endpoints-check
            add rule ip kube-proxy service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
            add chain ip kube-proxy cluster-ips-check
            add rule ip kube-proxy cluster-ips-check ip daddr @cluster-ips reject
            add chain ip kube-proxy filter-prerouting-pre-dnat { type filter hook prerouting priority -110; }
            add chain ip kube-proxy filter-forward { type filter hook forward priority -110; }
            add rule ip kube-proxy filter-forward ct state new jump service-endpoints-check
            add rule ip kube-proxy filter-forward ct state new jump cluster-ips-check
            add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority -100; }
            add rule ip kube-proxy nat-prerouting jump services
            add chain ip kube-proxy nat-output { type nat hook output priority -100; }
            add rule ip kube-proxy nat-output jump services
            add chain ip kube-proxy nat-postrouting { type nat hook postrouting priority 100; }
            add rule ip kube-proxy nat-postrouting jump masquerading

            """);
        return text.Append(Added(services)).ToString();
    }

    /// <summary>One transaction with services that are new.</summary>
    public static string Added(IReadOnlyList<BenchService> services)
    {
        var text = new StringBuilder();
        foreach (var service in services)
        {
            text.Append(CultureInfo.InvariantCulture, $"add element ip kube-proxy cluster-ips {{ {service.Address} }}\n");
            foreach (var protocol in Protocols(service))
            {
                foreach (var endpoint in service.Endpoints)
                    Endpoint(text, service, protocol, endpoint);
                text.Append(CultureInfo.InvariantCulture, $"add chain ip kube-proxy {Name(service, protocol)}\n");
                Pick(text, service, protocol);
                text.Append(CultureInfo.InvariantCulture,
                    $"add element ip kube-proxy service-ips {{ {service.Address} . {protocol} . 80 : goto {Name(service, protocol)} }}\n");
            }
        }
        return text.ToString();
    }

    /// <summary>One transaction with what changed: an endpoint chain and the service's pick.</summary>
    public static string Change(BenchService service)
    {
        var text = new StringBuilder();
        foreach (var protocol in Protocols(service))
        {
            foreach (var endpoint in service.Endpoints)
            {
                text.Append(CultureInfo.InvariantCulture,
                    $"add chain ip kube-proxy {Name(service, protocol, endpoint)}\nflush chain ip kube-proxy "
                    + $"{Name(service, protocol, endpoint)}\n");
                Endpoint(text, service, protocol, endpoint);
            }
            text.Append(CultureInfo.InvariantCulture, $"flush chain ip kube-proxy {Name(service, protocol)}\n");
            Pick(text, service, protocol);
        }
        return text.ToString();
    }

    private static IEnumerable<string> Protocols(BenchService service) => service.Udp ? ["tcp", "udp"] : ["tcp"];

    private static void Endpoint(StringBuilder to, BenchService service, string protocol, string endpoint)
    {
        var chain = Name(service, protocol, endpoint);
        to.Append(CultureInfo.InvariantCulture,
            $"add chain ip kube-proxy {chain}\nadd rule ip kube-proxy {chain} ip saddr {endpoint} jump mark-for-masquerade\n");
        to.Append(CultureInfo.InvariantCulture,
            $"add rule ip kube-proxy {chain} meta l4proto {protocol} dnat to {endpoint}:{service.TargetPort}\n");
    }

    private static void Pick(StringBuilder to, BenchService service, string protocol)
    {
        var chain = Name(service, protocol);
        to.Append(CultureInfo.InvariantCulture,
            $"add rule ip kube-proxy {chain} ip daddr {service.Address} {protocol} dport 80 ip saddr != {PodRange} jump "
                + $"mark-for-masquerade\n");
        var targets = service.Endpoints.Select((endpoint, i) =>
            string.Create(CultureInfo.InvariantCulture, $"{i} : goto {Name(service, protocol, endpoint)}"));
        to.Append(CultureInfo.InvariantCulture,
            $"add rule ip kube-proxy {chain} numgen random mod {service.Endpoints.Count} vmap {{ {string.Join(", ", targets)} }}\n");
    }

    private static string Name(BenchService service, string protocol) => $"service-{service.Name}-{protocol}";

    private static string Name(BenchService service, string protocol, string endpoint) =>
        $"endpoint-{service.Name}-{protocol}-{endpoint.Replace('.', '-')}";
}
