using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>The real thing, until it is killed: every change is a step.</summary>
internal sealed class MortalNode(InNode real, KillSwitch kill) : IPodNetwork, IEndpointPrograms
{
    public bool NamespaceExists(string netns) => real.NamespaceExists(netns);

    public bool NamespaceIsGone(string netns) => real.NamespaceIsGone(netns);

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) => real.FindChained(netns, ifname);

    public int Mtu() => real.Mtu();

    public HostLink CreateLink(EndpointRecord endpoint) => kill.Step(() => real.CreateLink(endpoint));

    public HostLink? FindHostLink(EndpointRecord endpoint) => real.FindHostLink(endpoint);

    public bool HasPodSide(EndpointRecord endpoint) => real.HasPodSide(endpoint);

    public void ConfigurePod(EndpointRecord endpoint) => kill.Step(() => real.ConfigurePod(endpoint));

    public void ConnectHost(EndpointRecord endpoint, HostLink link) => kill.Step(() => real.ConnectHost(endpoint, link));

    public void DeleteLink(EndpointKey key) => kill.Step(() => real.DeleteLink(key));

    public EndpointRecord Current(EndpointRecord endpoint) => real.Current(endpoint);

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints) =>
        real.Disconnected(endpoints);

    public IReadOnlyList<string> Differences(EndpointRecord endpoint) => real.Differences(endpoint);

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints) =>
        kill.Step(() => real.RemoveOrphans(endpoints));

    public void Attach(HostLink link) => kill.Step(() => real.Attach(link));

    public void Detach(EndpointKey key) => kill.Step(() => real.Detach(key));

    public void Publish(EndpointRecord endpoint, HostLink link) => kill.Step(() => real.Publish(endpoint, link));

    public void Withdraw(EndpointRecord endpoint) => kill.Step(() => real.Withdraw(endpoint));

    public void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints) => kill.Step(() => real.RemoveAllBut(endpoints));

    public IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link) => real.Differences(endpoint, link);
}

/// <summary>The real store, until it is killed.</summary>
internal sealed class MortalStore(EndpointStore real, KillSwitch kill) : IEndpointStore
{
    public IReadOnlyCollection<EndpointRecord> All => real.All;

    public EndpointRecord? Find(EndpointKey key) => real.Find(key);

    public bool HasRanges => real.HasRanges;

    public Task WaitForRangesAsync(TimeSpan limit, CancellationToken cancel) => real.WaitForRangesAsync(limit, cancel);

    public EndpointRecord Reserve(EndpointKey key, string netns, string pod, IReadOnlyList<Addr> asked) =>
        kill.Step(() => real.Reserve(key, netns, pod, asked));

    public EndpointRecord AddChained(EndpointRecord record) => kill.Step(() => real.AddChained(record));

    public void Save(EndpointRecord record) => kill.Step(() => real.Save(record));

    public void Release(EndpointRecord record) => kill.Step(() => real.Release(record));
}
