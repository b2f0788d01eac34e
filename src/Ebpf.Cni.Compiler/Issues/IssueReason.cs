namespace Ebpf.Cni.Compiler.Issues;

/// <summary>Every reason a <see cref="Output.CompileIssue"/> can have. Stable: events, metrics and alerts name them.</summary>
public static class IssueReason
{
    /// <summary>A cluster IP is not an address; it is left out.</summary>
    public const string ClusterIPInvalid = nameof(ClusterIPInvalid);

    /// <summary>A cluster IP is loopback, link-local, multicast or unspecified; it is left out.</summary>
    public const string ClusterIPNotAllowed = nameof(ClusterIPNotAllowed);

    /// <summary>A second cluster IP of one family; the first is used (kube-proxy: GetClusterIPByFamily).</summary>
    public const string ClusterIPWrongFamily = nameof(ClusterIPWrongFamily);

    /// <summary>A service port outside 1..65535; it is left out.</summary>
    public const string PortOutOfRange = nameof(PortOutOfRange);

    /// <summary>Two ports of a service have one name and protocol; the first is used.</summary>
    public const string PortNameDuplicate = nameof(PortNameDuplicate);

    /// <summary>A service port's protocol is not TCP, UDP or SCTP; it is left out.</summary>
    public const string ProtocolUnknown = nameof(ProtocolUnknown);

    /// <summary>A service port's name is reserved for hostPorts; it is left out.</summary>
    public const string PortNameReserved = nameof(PortNameReserved);

    /// <summary>A node port outside 1..65535; the port is served without it.</summary>
    public const string NodePortOutOfRange = nameof(NodePortOutOfRange);

    /// <summary>An external IP is not an address; it is left out.</summary>
    public const string ExternalIPInvalid = nameof(ExternalIPInvalid);

    /// <summary>An external IP is loopback, link-local, multicast or unspecified; it is left out.</summary>
    public const string ExternalIPNotAllowed = nameof(ExternalIPNotAllowed);

    /// <summary>
    /// The service has no cluster IP of an external IP's family; it is left out (kube-proxy serves a service in its own families only).
    /// </summary>
    public const string ExternalIPWrongFamily = nameof(ExternalIPWrongFamily);

    /// <summary>An external IP is there twice, or is the service's cluster IP too; it is served once.</summary>
    public const string ExternalIPDuplicate = nameof(ExternalIPDuplicate);

    /// <summary>The external-ips option is off on this node; they are left out.</summary>
    public const string ExternalIPRefused = nameof(ExternalIPRefused);

    /// <summary>An address of the load balancer is not an address; it is left out.</summary>
    public const string LoadBalancerIPInvalid = nameof(LoadBalancerIPInvalid);

    /// <summary>An address of the load balancer is loopback, link-local, multicast or unspecified; it is left out.</summary>
    public const string LoadBalancerIPNotAllowed = nameof(LoadBalancerIPNotAllowed);

    /// <summary>The service has no cluster IP of the family of a load balancer's address; it is left out.</summary>
    public const string LoadBalancerIPWrongFamily = nameof(LoadBalancerIPWrongFamily);

    /// <summary>An address of the load balancer is there twice, or is the service's cluster IP too; it is served once.</summary>
    public const string LoadBalancerIPDuplicate = nameof(LoadBalancerIPDuplicate);

    /// <summary>A source range is not a range of addresses; it is left out, and clients in it are not let in.</summary>
    public const string SourceRangeInvalid = nameof(SourceRangeInvalid);

    /// <summary>A session affinity time-out outside 1..86400 seconds; the API's default is used.</summary>
    public const string AffinityTimeoutOutOfRange = nameof(AffinityTimeoutOutOfRange);

    /// <summary>A traffic policy or session affinity that is not known; the default is used.</summary>
    public const string PolicyUnknown = nameof(PolicyUnknown);

    /// <summary>A health check node port outside 1..65535; it is not answered.</summary>
    public const string HealthCheckPortOutOfRange = nameof(HealthCheckPortOutOfRange);

    /// <summary>Another service has this health check node port; the first by namespace and name is answered.</summary>
    public const string HealthCheckPortConflict = nameof(HealthCheckPortConflict);

    /// <summary>A hostPort's numbers, protocol or addresses are invalid; it is left out.</summary>
    public const string HostPortInvalid = nameof(HostPortInvalid);

    /// <summary>A pod has a hostPort twice; it is served once.</summary>
    public const string HostPortDuplicate = nameof(HostPortDuplicate);

    /// <summary>
    /// This address, port and protocol is taken: cluster IPs come before addresses of load balancers, these before node ports, external
    /// IPs and hostPorts, in this order; among equals the first by namespace, name, port name is served.
    /// </summary>
    public const string FrontendConflict = nameof(FrontendConflict);

    /// <summary>A slice's address type is not IPv4, IPv6 or FQDN; it is left out.</summary>
    public const string AddressTypeUnknown = nameof(AddressTypeUnknown);

    /// <summary>A slice's port has no number ("all ports"), which a service cannot use; it is left out.</summary>
    public const string EndpointPortMissing = nameof(EndpointPortMissing);

    /// <summary>A slice's port is outside 1..65535; it is left out.</summary>
    public const string EndpointPortOutOfRange = nameof(EndpointPortOutOfRange);

    /// <summary>A slice's port has a protocol other than TCP, UDP or SCTP; it is left out.</summary>
    public const string EndpointProtocolUnknown = nameof(EndpointProtocolUnknown);

    /// <summary>An endpoint has no address; it is left out.</summary>
    public const string EndpointWithoutAddress = nameof(EndpointWithoutAddress);

    /// <summary>An endpoint's address is not an address; it is left out.</summary>
    public const string EndpointAddressInvalid = nameof(EndpointAddressInvalid);

    /// <summary>An endpoint's address is not of its slice's family; it is left out.</summary>
    public const string EndpointAddressWrongFamily = nameof(EndpointAddressWrongFamily);

    /// <summary>An endpoint's address is loopback, link-local, multicast or unspecified; it is left out.</summary>
    public const string EndpointAddressNotAllowed = nameof(EndpointAddressNotAllowed);

    /// <summary>
    /// An endpoint that is no pod's has the UDP port of the nodes' tunnels: a node would decapsulate packets to it. It is left out.
    /// </summary>
    public const string EndpointIsTunnelPort = nameof(EndpointIsTunnelPort);

    /// <summary>A node's podCIDR is not a usable range; no route leads to it.</summary>
    public const string PodCidrInvalid = nameof(PodCidrInvalid);

    /// <summary>A node's podCIDR shares addresses with another node's; this node's own wins, then the first by node name.</summary>
    public const string PodCidrOverlap = nameof(PodCidrOverlap);

    /// <summary>A node's InternalIP is not a usable address; the next of its family is tried.</summary>
    public const string NodeAddressInvalid = nameof(NodeAddressInvalid);

    /// <summary>A node has a podCIDR but no InternalIP by which it could be reached; no route leads to it.</summary>
    public const string NodeAddressMissing = nameof(NodeAddressMissing);

    /// <summary>Another node claims this node's own InternalIP; no route leads to it.</summary>
    public const string NodeAddressConflict = nameof(NodeAddressConflict);

    /// <summary>A node shares no layer-2 network with this node, and the routing option excludes tunnels; no route leads to it.</summary>
    public const string NodeNotOnLink = nameof(NodeNotOnLink);

    /// <summary>A node's InternalIP lies in a podCIDR that would be reached through the tunnel; no route leads to it.</summary>
    public const string PodCidrHoldsNode = nameof(PodCidrHoldsNode);
}
