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

    /// <summary>Another service port has this address, port and protocol; the first by namespace, name, port name is served.</summary>
    public const string FrontendConflict = nameof(FrontendConflict);

    /// <summary>A slice without the label kubernetes.io/service-name; it is left out.</summary>
    public const string SliceWithoutService = nameof(SliceWithoutService);

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

    /// <summary>A node's podCIDR is not a usable range; no route leads to it.</summary>
    public const string PodCidrInvalid = nameof(PodCidrInvalid);

    /// <summary>A node's podCIDR shares addresses with another node's; this node's own wins, then the first by node name.</summary>
    public const string PodCidrOverlap = nameof(PodCidrOverlap);

    /// <summary>A node's InternalIP is not a usable address; the next of its family is tried.</summary>
    public const string NodeAddressInvalid = nameof(NodeAddressInvalid);

    /// <summary>A node has a podCIDR but no InternalIP of its family; no route leads to it.</summary>
    public const string NodeAddressMissing = nameof(NodeAddressMissing);

    /// <summary>Another node claims this node's own InternalIP; no route leads to it.</summary>
    public const string NodeAddressConflict = nameof(NodeAddressConflict);
}
