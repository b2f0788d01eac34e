using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>The addresses and ports of one Service under test; all follow from its number.</summary>
internal sealed record ServicePlace(int Number, ServiceCase Case)
{
    public const int Port = 80, OtherPort = 81;

    /// <summary>What endpoints listen on; a slice each, so a port name does not mean the same number everywhere.</summary>
    public const int TargetPortOnA = 8080, TargetPortOnB = 8081;

    // node ports of three transports and of health checks: blocks of the range 30000-32767
    private const int Block = 690;

    public static readonly IPNetwork[] Ranges =
        [.. new[] { "10.96.0.0/16", "fd96::/112", "10.250.0.0/16", "fd00:250::/64", "10.251.0.0/16", "fd00:251::/64" }.Select(
            IPNetwork.Parse)];

    public string Name { get; } = Number < Block
        ? $"case-{Number:000}" : throw new ArgumentOutOfRangeException(nameof(Number), "node ports for so many are not there");

    public IPAddress ClusterIp => At("10.96.", "fd96::");

    public IPAddress ExternalIp => At("10.250.", "fd00:250::");

    public IPAddress LoadBalancerIp => At("10.251.", "fd00:251::");

    public int HealthPort => 30000 + (3 * Block) + Number;

    public int NodePort(Transport transport) =>
        30000 + Number + (transport switch { Transport.Tcp => 0, Transport.Sctp => 2, _ => 1 } * Block);

    /// <summary>Where a scenario's question goes.</summary>
    public (IPAddress Address, int Port) Target(Scenario scenario, AddressBook addresses) => scenario.Address switch
    {
        AddressKind.Cluster => (ClusterIp, Port),
        AddressKind.ClusterOtherPort => (ClusterIp, OtherPort),
        AddressKind.NodePort => (addresses[Site.A, Case.Family], NodePort(scenario.Transport)),
        AddressKind.Loopback => (IPAddress.Loopback, NodePort(scenario.Transport)),
        AddressKind.External => (ExternalIp, Port),
        AddressKind.LoadBalancer => (LoadBalancerIp, Port),
        AddressKind.Endpoint => (addresses[Case.Endpoints.All[0].Backend, Case.Family],
            Case.Endpoints.All[0].Backend.Site() == Site.A ? TargetPortOnA : TargetPortOnB),
        _ => (addresses[Site.A, Case.Family], HealthPort),
    };

    // the first hundreds of the cluster range are the API's own to give
    private IPAddress At(string v4, string v6) =>
        IPAddress.Parse(Case.Family == Family.V4 ? $"{v4}{100 + (Number / 250)}.{(Number % 250) + 1}" : $"{v6}{0x4000 + Number:x}");
}
