using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>Where this project deliberately does not do what kube-proxy does.</summary>
/// <param name="KubeProxy">What it does.</param>
/// <param name="Here">What is done instead.</param>
/// <param name="Reason">Why that is better.</param>
/// <param name="Applies">To which scenarios.</param>
/// <param name="Change">kube-proxy's verdict to ours.</param>
internal sealed record Difference(
    string Name, string KubeProxy, string Here, string Reason, Func<Scenario, bool> Applies, Func<Scenario, Verdict, Verdict> Change);

/// <summary>The rules that are expected of the dataplane: kube-proxy's, and then these differences. There are no others.</summary>
internal static class Differences
{
    public static readonly ImmutableArray<Difference> All =
    [
        new("pods keep their source towards external addresses",
            "A pod that asks for a node port, an external IP or a load balancer IP of a Service with externalTrafficPolicy Cluster is "
                + "masqueraded.",
            "The pod's own address is what the backend sees.",
            "The answer comes back to the pod's node anyway, which translates it; hiding the client would only cost ports and blind logs "
                + "and policies.",
            s => s.IsExternalAddress && s.Client.IsPod() && s.Client.Site() == s.Entry && s.Service.External == Policy.Cluster,
            (_, verdict) => WithSource(verdict, Source.Node, Source.Client)),
        new("node ports on 127.0.0.1",
            "Not served in nftables mode; in iptables mode at the price of net.ipv4.conf.all.route_localnet.",
            "Served for the node's own clients, as on any other address of the node. From the network such packets are dropped.",
            "Programs on the node that use localhost:PORT are common, and nothing has to be opened for it.",
            s => s.Address == AddressKind.Loopback,
            (s, _) => Expected(s with { Address = AddressKind.NodePort })),
        new("a pod that reaches itself by a socket hook",
            "Hairpin connections are masqueraded.",
            "With --socket-lb full the backend sees its own address; on every other path the mask 169.254.1.1 or 100::ecc:1.",
            "The translated connection never leaves the pod, so there is no packet to rewrite, and nothing to protect its answers from.",
            s => s is { Mode: Mode.Full, Client: Client.Server } && s.Transport != Transport.Sctp,
            (_, verdict) => WithSource(verdict, Source.Masked, Source.Client)),
    ];

    public static Verdict Expected(Scenario scenario) => Expected(scenario, new KubeProxyRules());

    public static Verdict Expected(Scenario scenario, KubeProxyRules rules) =>
        All.Where(d => d.Applies(scenario)).Aggregate(
            rules.Decide(scenario), (verdict, difference) => difference.Change(scenario, verdict));

    private static Verdict WithSource(Verdict verdict, Source from, Source to) => verdict is Verdict.Served served
        ? new Verdict.Served(served.By.ToImmutableSortedDictionary(p => p.Key, p => p.Value == from ? to : p.Value))
        : verdict;
}
