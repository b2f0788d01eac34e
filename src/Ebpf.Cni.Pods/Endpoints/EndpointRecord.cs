using System.Text.Json.Serialization;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// A pod's interface as it is kept on disk. Written before anything it names is used: whatever exists in the kernel has a record, so
/// a restart finds it.
/// </summary>
public sealed record EndpointRecord
{
    public required string ContainerId { get; init; }
    public required string Ifname { get; init; }

    /// <summary>Path of the pod's network namespace.</summary>
    public required string Netns { get; init; }

    /// <summary>The endpoint's number in the kernel's tables; unique on this node, never 0.</summary>
    public required uint Number { get; init; }

    /// <summary>The pod's addresses, at most one a family, IPv4 first.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>The ADD was completed. A record without it is what an interrupted ADD left.</summary>
    public bool Ready { get; init; }

    public int Mtu { get; init; }

    /// <summary>namespace/name of the pod, when the runtime names it; for people.</summary>
    public string Pod { get; init; } = "";

    /// <summary>The pod's uid, when the runtime names it: an event without it is not found by those who look for it at the pod.</summary>
    public string PodUid { get; init; } = "";

    /// <summary>Ports of the node that lead to the pod (the capability portMappings).</summary>
    public IReadOnlyList<PortMapping> PortMappings { get; init; } = [];

    /// <summary>Name of the network (the configuration list's) that the attachment belongs to; "" in records of older agents.</summary>
    public string Network { get; init; } = "";

    /// <summary>MAC address that was asked for (the capability mac), as text; "" for the one that follows from the key.</summary>
    public string Mac { get; init; } = "";

    /// <summary>
    /// MAC address of the node's side of our own interface, as text, where it is not the one that follows from the key any more: udev or
    /// another plugin has changed it.
    /// </summary>
    public string NodeMac { get; init; } = "";

    /// <summary>Rates that were asked for (the capability bandwidth); null without.</summary>
    public Bandwidth? Bandwidth { get; init; }

    /// <summary>Set where another plugin made the interface and gave the addresses; null where we did.</summary>
    public ChainedInterface? Foreign { get; init; }

    /// <summary>The node's name, as it is written; "" in records of older agents.</summary>
    public string Node { get; init; } = "";

    [JsonIgnore]
    public EndpointKey Key => new(ContainerId, Ifname);

    /// <summary>Of the pod's side, 6 bytes.</summary>
    [JsonIgnore]
    public byte[] PodMac => Mac.Length > 0 && MacAddr.TryParse(Mac, out var asked) ? asked.ToBytes() : Key.Mac(host: false);

    /// <summary>Of the host's side, 6 bytes: the pod's gateway.</summary>
    [JsonIgnore]
    public byte[] HostMac => MacAddr.TryParse(NodeMac, out var seen) ? seen.ToBytes() : Foreign is { } foreign
        && MacAddr.TryParse(foreign.HostMac, out var theirs) ? theirs.ToBytes() : Key.Mac(host: true);
}

/// <summary>
/// An interface that another plugin made (--cni-mode chained), and how its side on the node is known again: by name and number.
/// </summary>
/// <param name="HostName">Its name; "" where the pod's interface is no veth, and nothing on the node is the pod's alone.</param>
/// <param name="HostMac">Its MAC address when it was looked at last, as text; udev may change it at any time.</param>
public sealed record ChainedInterface(string HostName, string HostMac)
{
    /// <summary>Its interface index, never given twice while the node is up; 0 in records of older agents.</summary>
    public int HostIndex { get; init; }

    /// <summary>The same interface, whatever its MAC address is now.</summary>
    public bool IsSame(ChainedInterface? other) =>
        other is not null && HostName == other.HostName && (HostIndex == other.HostIndex || HostIndex == 0 || other.HostIndex == 0);
}
