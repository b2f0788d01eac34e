using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>The cluster's two machines. What comes from outside, or asks for a node port, enters at A.</summary>
internal enum Site
{
    A,
    B,
}

/// <summary>Who asks.</summary>
internal enum Client
{
    /// <summary>A pod on A that serves nothing.</summary>
    Pod,

    /// <summary>The pod on A that is itself the endpoint a1.</summary>
    Server,

    /// <summary>A pod on B.</summary>
    OtherPod,

    /// <summary>A's own network namespace.</summary>
    Host,

    /// <summary>B's own network namespace.</summary>
    OtherHost,

    /// <summary>A machine that is no node.</summary>
    Outside,
}

/// <summary>What is asked for.</summary>
internal enum AddressKind
{
    Cluster,

    /// <summary>A port of the cluster IP that the Service does not have.</summary>
    ClusterOtherPort,

    /// <summary>On A's address, whoever asks.</summary>
    NodePort,

    /// <summary>The node port on the client's own 127.0.0.1.</summary>
    Loopback,

    External,
    LoadBalancer,

    /// <summary>GET on A's healthCheckNodePort.</summary>
    Health,

    /// <summary>The Service's first endpoint itself: nobody may translate that, nor its answers.</summary>
    Endpoint,
}

internal enum Policy
{
    Cluster,
    Local,
}

internal enum Family
{
    V4,
    V6,
}

internal enum Transport
{
    Tcp,

    /// <summary>A connected socket.</summary>
    Udp,

    /// <summary>sendto and recvfrom on an unconnected socket.</summary>
    UdpSendTo,

    /// <summary>Packets made by hand at both ends: kernels come without SCTP sockets.</summary>
    Sctp,
}

/// <summary>How the dataplane under test was started: --socket-lb.</summary>
internal enum Mode
{
    Full,
    HostOnly,
    Off,
}

/// <summary>Whose addresses loadBalancerSourceRanges name.</summary>
internal enum SourceRanges
{
    None,
    Pods,
    Nodes,
    Outside,

    /// <summary>Ranges of the other address family alone.</summary>
    OtherFamily,
}

/// <summary>All that makes one Service what it is. Scenarios with equal ones share the object.</summary>
/// <param name="Internal">internalTrafficPolicy.</param>
/// <param name="External">externalTrafficPolicy.</param>
/// <param name="OtherProxy">Labelled service.kubernetes.io/service-proxy-name.</param>
internal sealed record ServiceCase(
    Family Family, Policy Internal, Policy External, EndpointSet Endpoints, SourceRanges Ranges = SourceRanges.None,
    bool OtherProxy = false);

/// <summary>One question to the cluster.</summary>
internal sealed record Scenario(Mode Mode, ServiceCase Service, Client Client, AddressKind Address, Transport Transport)
{
    /// <summary>Whose rules decide: the machine where the packet first meets a service proxy.</summary>
    public Site Entry => Address is AddressKind.NodePort or AddressKind.Health ? Site.A : Client.Site() ?? Site.A;

    /// <summary>Node ports, external and load balancer addresses: what externalTrafficPolicy is about.</summary>
    public bool IsExternalAddress =>
        Address is AddressKind.NodePort or AddressKind.Loopback or AddressKind.External or AddressKind.LoadBalancer;

    /// <summary>Whether such a question can be asked at all.</summary>
    public bool IsPossible =>
        (Address != AddressKind.Loopback || (Client is Client.Host && Service.Family == Family.V4))
        && (Address != AddressKind.Health || (Service.External == Policy.Local && Transport == Transport.Tcp && Client != Client.Server))
        && (Client != Client.Server || Service.Endpoints.All.Any(e => e.Backend == Backend.A1))
        && (Transport != Transport.Sctp || MeetsPacketPrograms)
        && (Address != AddressKind.Endpoint || Service.Endpoints.All.Length > 0)
        && (!Service.OtherProxy || Address == AddressKind.NodePort);

    // the kernel has no socket hooks for SCTP, so what a node itself sends is translated by packet programs or not at all
    private bool MeetsPacketPrograms =>
        Mode == Mode.Off || Address == AddressKind.Endpoint || Client is not (Client.Host or Client.OtherHost)
            || (Client == Client.OtherHost && Address == AddressKind.NodePort);
}

/// <summary>Where clients are.</summary>
internal static class Clients
{
    public static readonly ImmutableArray<Client> All = [.. Enum.GetValues<Client>()];

    /// <summary>Null: on no node.</summary>
    public static Site? Site(this Client client) => client switch
    {
        Client.Pod or Client.Server or Client.Host => Model.Site.A,
        Client.OtherPod or Client.OtherHost => Model.Site.B,
        _ => null,
    };

    public static bool IsPod(this Client client) => client is Client.Pod or Client.Server or Client.OtherPod;
}
