using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>The host side of a pod's veth.</summary>
/// <param name="Ifindex">0 where the pod has nothing of its own on the node: then there is nothing to attach programs to.</param>
/// <param name="Name">Ours for it, by which programs are pinned; another plugin's interface has a name of its own besides.</param>
public readonly record struct HostLink(int Ifindex, string Name);

/// <summary>
/// Links, addresses, routes and neighbours of pods. Errors are exceptions of any type; a failed call may have done a part.
/// </summary>
public interface IPodNetwork
{
    /// <summary>The namespace exists: nothing is begun otherwise.</summary>
    bool NamespaceExists(string netns);

    /// <summary>
    /// The namespace was here and is not any more: its path is gone, and that says something (a path below /proc or in a directory that is
    /// missing as a whole says nothing).
    /// </summary>
    bool NamespaceIsGone(string netns);

    /// <summary>The interface of this name that another plugin has made in the namespace, and its other side, if it is a veth's.</summary>
    /// <returns>The node's side and the pod's MAC address as text; null when the pod has no such interface.</returns>
    (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname);

    /// <summary>MTU for a new pod.</summary>
    int Mtu();

    /// <summary>
    /// Makes the veth, both sides down, the pod's side in its namespace under its final name. A leftover of the same host name is replaced.
    /// </summary>
    HostLink CreateLink(EndpointRecord endpoint);

    /// <summary>The host side, when it is there.</summary>
    HostLink? FindHostLink(EndpointRecord endpoint);

    /// <summary>The pod's side is in the record's namespace, under its name; ours with its MAC address.</summary>
    bool HasPodSide(EndpointRecord endpoint);

    /// <summary>Pod's side: settings, addresses, up, routes, neighbours. Converges.</summary>
    void ConfigurePod(EndpointRecord endpoint);

    /// <summary>Host side: up, routes to the pod, neighbours. Converges.</summary>
    void ConnectHost(EndpointRecord endpoint, HostLink link);

    /// <summary>Removes the veth by its host name; nothing happens where it is gone. Routes and neighbours go with it.</summary>
    void DeleteLink(EndpointKey key);

    /// <summary>
    /// The record with the MAC addresses that the interface has now, which udev and other plugins may have changed; itself where they are
    /// the same.
    /// </summary>
    EndpointRecord Current(EndpointRecord endpoint);

    /// <summary>
    /// Of living pods those whose side on the node is not as <see cref="ConnectHost"/> left it any more, and the first thing that is
    /// missing. One look at the node for all.
    /// </summary>
    IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints);

    /// <summary>What differs from what ADD made, a sentence each.</summary>
    IReadOnlyList<string> Differences(EndpointRecord endpoint);

    /// <summary>
    /// Removes what is ours on the node and belongs to none of the endpoints: host sides of veths, and routes and neighbours on the host
    /// sides of others. Nothing may be added or deleted meanwhile.
    /// </summary>
    /// <returns>What was removed, for people.</returns>
    IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints);
}

/// <summary>A pod's share of the dataplane.</summary>
public interface IEndpointPrograms
{
    /// <summary>Attaches the pod programs to the host side, or replaces them where they are. Converges.</summary>
    void Attach(HostLink link);

    /// <summary>Takes the programs off; nothing happens where there are none.</summary>
    void Detach(EndpointKey key);

    /// <summary>Enters the pod's addresses into the endpoint table. Converges.</summary>
    void Publish(EndpointRecord endpoint, HostLink link);

    /// <summary>Takes the addresses out; nothing happens where they are not in.</summary>
    void Withdraw(EndpointRecord endpoint);

    /// <summary>Removes entries and programs that belong to no endpoint of the list.</summary>
    void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints);

    /// <summary>What differs from what ADD made, a sentence each.</summary>
    IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link);
}

/// <summary>The hostPorts of pods, until the kernel tables hold them.</summary>
public interface IHostPorts
{
    /// <summary>
    /// Returns when what the endpoints ask for now is in the kernel, or after the limit; at once when nothing is applied yet.
    /// </summary>
    Task AppliedAsync(TimeSpan limit, CancellationToken cancel);
}
