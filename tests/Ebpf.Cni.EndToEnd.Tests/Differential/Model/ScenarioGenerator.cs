using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>
/// Picks scenarios out of the product of all there is to combine: a core that every run asks, in which each value of each dimension occurs
/// beside those it matters for, and a random part.
/// </summary>
internal static class ScenarioGenerator
{
    private static readonly EndpointSet Mixed = EndpointSets.Named("ready on both");

    public static ImmutableArray<Scenario> Generate(Mode mode, int random, Random dice, int everyCore = 1)
    {
        var core = Core(mode).Where(s => s.IsPossible).Distinct().Where((_, i) => i % everyCore == 0).ToList();
        var seen = core.ToHashSet();
        while (random > 0)
        {
            var scenario = Any(mode, dice);
            if (!scenario.IsPossible || !seen.Add(scenario))
                continue;
            core.Add(scenario);
            random--;
        }
        return [.. core];
    }

    private static IEnumerable<Scenario> Core(Mode mode) =>
        Endpoints(mode).Concat(Ways(mode)).Concat(Ranges(mode)).Concat(HealthChecks(mode)).Concat(Sctp(mode)).Concat(Direct(mode))
            .Concat(Rest(mode));

    /// <summary>Every state of endpoints under every policy; transports and families take turns.</summary>
    private static IEnumerable<Scenario> Endpoints(Mode mode) =>
        from set in EndpointSets.All.Select((value, index) => (value, index))
        from policy in Enum.GetValues<Policy>()
        let turn = set.index + (policy == Policy.Local ? 1 : 0)
        let service = new ServiceCase(turn % 2 == 0 ? Family.V4 : Family.V6, policy, policy, set.value)
        let transport = turn / 2 % 2 == 0 ? Transport.Tcp : Transport.Udp
        from way in new[] { (Client.Pod, AddressKind.Cluster), (Client.Outside, AddressKind.NodePort) }
        select new Scenario(mode, service, way.Item1, way.Item2, transport);

    /// <summary>Every client towards every kind of address.</summary>
    private static IEnumerable<Scenario> Ways(Mode mode) =>
        from client in Clients.All
        from address in Enum.GetValues<AddressKind>()
        where address is not (AddressKind.Health or AddressKind.Endpoint)
        from external in Enum.GetValues<Policy>()
        let turn = (int)client + (int)address + (int)external
        let service = new ServiceCase(turn % 2 == 0 ? Family.V4 : Family.V6, Policy.Cluster, external, Mixed)
        from transport in new[] { Transport.Tcp, turn / 2 % 2 == 0 ? Transport.Udp : Transport.UdpSendTo }
        select new Scenario(mode, service, client, address, transport);

    private static IEnumerable<Scenario> Ranges(Mode mode) =>
        from ranges in Enum.GetValues<SourceRanges>()
        where ranges != SourceRanges.None
        let service = new ServiceCase((int)ranges % 2 == 0 ? Family.V4 : Family.V6, Policy.Cluster,
            (int)ranges / 2 % 2 == 0 ? Policy.Cluster : Policy.Local, Mixed, ranges)
        from way in new[]
        {
            (Client.Pod, AddressKind.LoadBalancer), (Client.Host, AddressKind.LoadBalancer), (Client.Outside, AddressKind.LoadBalancer),
            (Client.Outside, AddressKind.NodePort), (Client.Outside, AddressKind.External),
        }
        select new Scenario(mode, service, way.Item1, way.Item2, (int)way.Item1 % 2 == 0 ? Transport.Tcp : Transport.Udp);

    private static IEnumerable<Scenario> HealthChecks(Mode mode) =>
        from set in EndpointSets.All
        let service = new ServiceCase(Family.V4, Policy.Cluster, Policy.Local, set)
        from client in new[] { Client.Outside, Client.OtherHost }
        where client == Client.Outside || set.Name.Contains("terminating", StringComparison.Ordinal)
        select new Scenario(mode, service, client, AddressKind.Health, Transport.Tcp);

    private static IEnumerable<Scenario> Sctp(Mode mode) =>
        from set in new[] { "none", "ready on both", "remote ready", "local terminating", "local terminating, remote ready" }
        from policy in Enum.GetValues<Policy>()
        let service = new ServiceCase(policy == Policy.Local ? Family.V6 : Family.V4, policy, policy, EndpointSets.Named(set))
        from way in new[] { (Client.Pod, AddressKind.Cluster), (Client.Pod, AddressKind.External), (Client.Outside, AddressKind.NodePort) }
        select new Scenario(mode, service, way.Item1, way.Item2, Transport.Sctp);

    private static IEnumerable<Scenario> Direct(Mode mode) =>
        from set in new[] { "local ready", "remote ready", "local host network" }
        from client in Clients.All
        from transport in new[] { Transport.Tcp, Transport.UdpSendTo, Transport.Sctp }
        let service = new ServiceCase(((int)client + (int)transport) % 2 == 0 ? Family.V4 : Family.V6, Policy.Cluster, Policy.Cluster,
            EndpointSets.Named(set))
        select new Scenario(mode, service, client, AddressKind.Endpoint, transport);

    private static IEnumerable<Scenario> Rest(Mode mode) =>
        from family in Enum.GetValues<Family>()
        from scenario in new[]
        {
            // someone else's Service
            new Scenario(mode, new ServiceCase(family, Policy.Cluster, Policy.Cluster, Mixed, OtherProxy: true), Client.Outside,
                AddressKind.NodePort, Transport.Tcp),
            // itself and nobody else
            new Scenario(mode, new ServiceCase(family, Policy.Cluster, Policy.Cluster, EndpointSets.Named("local ready")), Client.Server,
                AddressKind.Cluster, Transport.Tcp),
            new Scenario(mode, new ServiceCase(family, Policy.Local, Policy.Local, EndpointSets.Named("local ready")), Client.Server,
                AddressKind.LoadBalancer, Transport.Udp),
            // the host's own server, from the host's own socket
            new Scenario(mode, new ServiceCase(family, Policy.Local, Policy.Local, EndpointSets.Named("local host network")), Client.Host,
                AddressKind.Cluster, Transport.Tcp),
            new Scenario(mode, new ServiceCase(family, Policy.Cluster, Policy.Cluster, EndpointSets.Named("local host network")),
                Client.Outside, AddressKind.LoadBalancer, Transport.Tcp),
            new Scenario(mode, new ServiceCase(family, Policy.Cluster, Policy.Local, EndpointSets.Named("local host network")),
                Client.Outside, AddressKind.External, Transport.Udp),
        }
        select scenario;

    private static Scenario Any(Mode mode, Random dice)
    {
        var service = new ServiceCase(
            Pick<Family>(dice), Pick<Policy>(dice), Pick<Policy>(dice), EndpointSets.All[dice.Next(EndpointSets.All.Length)],
            dice.Next(4) == 0 ? Pick<SourceRanges>(dice) : SourceRanges.None);
        return new Scenario(mode, service, Pick<Client>(dice), Pick<AddressKind>(dice), Pick<Transport>(dice));
    }

    private static T Pick<T>(Random dice) where T : struct, Enum
    {
        var values = Enum.GetValues<T>();
        return values[dice.Next(values.Length)];
    }
}
