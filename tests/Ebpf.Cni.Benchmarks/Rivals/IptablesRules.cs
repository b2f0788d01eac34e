using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>
/// The nat table in the shape that kube-proxy's iptables mode gives it (pkg/proxy/iptables/proxier.go): one rule for each service port in
/// KUBE-SERVICES, which a first packet passes one after the other; a chain for the service that picks by probability; a chain for each
/// endpoint.
/// </summary>
internal static class IptablesRules
{
    private const string PodRange = "10.244.0.0/16";

    /// <summary>Everything, as input of iptables-restore.</summary>
    public static string Full(IReadOnlyList<BenchService> services)
    {
        var chains = new StringBuilder(
            "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
            + ":KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-NODEPORTS - [0:0]\n");
        var rules = new StringBuilder("-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
            + "-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
            + "-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING\n"
            + "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n"
            + "-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE\n"
            + "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n");
        Chosen(chains, rules, services);
        Portals(rules, services);
        return chains.Append(rules).Append("COMMIT\n").ToString();
    }

    /// <summary>
    /// Services that are new among all, for iptables-restore --noflush: their chains, and the chain of all services, which kube-proxy
    /// writes whole each time.
    /// </summary>
    public static string Added(IReadOnlyList<BenchService> added, IReadOnlyList<BenchService> all)
    {
        var (chains, rules) = (new StringBuilder("*nat\n:KUBE-SERVICES - [0:0]\n"), new StringBuilder());
        Chosen(chains, rules, added);
        Portals(rules, all);
        return chains.Append(rules).Append("COMMIT\n").ToString();
    }

    /// <summary>What changed only, for iptables-restore --noflush, as kube-proxy does since 1.27 (KEP-3453).</summary>
    public static string Change(BenchService service)
    {
        var chains = new StringBuilder("*nat\n");
        var rules = new StringBuilder();
        foreach (var protocol in Protocols(service))
        {
            Chains(chains, service, protocol);
            Rules(rules, service, protocol);
        }
        return chains.Append(rules).Append("COMMIT\n").ToString();
    }

    private static void Chosen(StringBuilder chains, StringBuilder rules, IReadOnlyList<BenchService> services)
    {
        foreach (var service in services)
        {
            foreach (var protocol in Protocols(service))
            {
                Chains(chains, service, protocol);
                Rules(rules, service, protocol);
            }
        }
    }

    private static void Portals(StringBuilder to, IReadOnlyList<BenchService> services)
    {
        foreach (var service in services)
            foreach (var protocol in Protocols(service))
                to.Append(CultureInfo.InvariantCulture,
                    $"-A KUBE-SERVICES -d {service.Address}/32 -p {protocol} -m comment --comment \"default/{service.Name} cluster IP\" "
                    + $"-m {protocol} --dport 80 -j {Service(service, protocol)}\n");
        to.Append("-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports\" ")
            .Append("-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n");
    }

    private static IEnumerable<string> Protocols(BenchService service) => service.Udp ? ["tcp", "udp"] : ["tcp"];

    private static void Chains(StringBuilder to, BenchService service, string protocol)
    {
        to.Append(CultureInfo.InvariantCulture, $":{Service(service, protocol)} - [0:0]\n");
        foreach (var endpoint in service.Endpoints)
            to.Append(CultureInfo.InvariantCulture, $":{Endpoint(service, protocol, endpoint)} - [0:0]\n");
    }

    private static void Rules(StringBuilder to, BenchService service, string protocol)
    {
        var chain = Service(service, protocol);
        to.Append(CultureInfo.InvariantCulture,
            $"-A {chain} ! -s {PodRange} -d {service.Address}/32 -p {protocol} -m comment --comment \"default/{service.Name} cluster "
                + $"IP\" -m {protocol} --dport 80 -j KUBE-MARK-MASQ\n");
        for (var i = 0; i < service.Endpoints.Count; i++)
        {
            var endpoint = service.Endpoints[i];
            var left = service.Endpoints.Count - i;
            var pick = left == 1 ? "" : string.Create(
                CultureInfo.InvariantCulture, $" -m statistic --mode random --probability {1.0 / left:0.0000000000}");
            var name = Endpoint(service, protocol, endpoint);
            to.Append(CultureInfo.InvariantCulture,
                $"-A {chain} -m comment --comment \"default/{service.Name} -> {endpoint}:{service.TargetPort}\"{pick} -j {name}\n");
            to.Append(CultureInfo.InvariantCulture,
                $"-A {name} -s {endpoint}/32 -m comment --comment \"default/{service.Name}\" -j KUBE-MARK-MASQ\n");
            to.Append(CultureInfo.InvariantCulture,
                $"-A {name} -p {protocol} -m comment --comment \"default/{service.Name}\" -m {protocol} -j DNAT --to-destination "
                    + $"{endpoint}:{service.TargetPort}\n");
        }
    }

    private static string Service(BenchService service, string protocol) => "KUBE-SVC-" + Hash($"{service.Name}/{protocol}");

    private static string Endpoint(BenchService service, string protocol, string endpoint) =>
        "KUBE-SEP-" + Hash($"{service.Name}/{protocol}/{endpoint}");

    private static string Hash(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
}
