using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>
/// Links, routes, programs and endpoint entries in memory. Remembers the order of steps; can fail before or after the effect of any step,
/// and checks the order that keeps pods from sending before they are known.
/// </summary>
internal sealed class FakeNode : IPodNetwork, IEndpointPrograms
{
    private readonly Lock _lock = new();
    private int _nextIfindex = 10;

    public HashSet<string> Namespaces { get; } = ["/ns/a", "/ns/b"];
    public Dictionary<EndpointKey, int> Links { get; } = [];
    public HashSet<string> Programs { get; } = [];
    public Dictionary<string, uint> Entries { get; } = [];
    public HashSet<EndpointKey> Configured { get; } = [];
    public HashSet<EndpointKey> Connected { get; } = [];
    public List<string> Steps { get; } = [];

    /// <summary>Fails at this step; <see cref="FailAfterEffect"/> says whether its effect is there then.</summary>
    public string? FailAt { get; set; }

    public bool FailAfterEffect { get; set; }

    public int MostAtOnce { get; private set; }

    private int _now;

    /// <summary>Nothing of any pod is left.</summary>
    public bool Empty => Links.Count + Programs.Count + Entries.Count + Configured.Count + Connected.Count == 0;

    public bool NamespaceExists(string netns) => Namespaces.Contains(netns);

    public HashSet<string> GoneNamespaces { get; } = [];

    /// <summary>What another plugin has made, by namespace.</summary>
    public Dictionary<string, (ChainedInterface Host, string PodMac)> Foreign { get; } = [];

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) =>
        Foreign.TryGetValue(netns, out var found) ? found : null;

    public bool NamespaceIsGone(string netns) => GoneNamespaces.Contains(netns);

    public int Mtu() => 1400;

    public HostLink CreateLink(EndpointRecord endpoint)
    {
        Step("create", () =>
        {
            DropLink(endpoint.Key);
            Links[endpoint.Key] = _nextIfindex++;
        });
        return FindHostLink(endpoint)!.Value;
    }

    public HostLink? FindHostLink(EndpointRecord endpoint) =>
        Links.TryGetValue(endpoint.Key, out var ifindex) ? new HostLink(ifindex, endpoint.Key.HostInterface) : null;

    public bool HasPodSide(EndpointRecord endpoint) => NamespaceExists(endpoint.Netns) && Links.ContainsKey(endpoint.Key);

    public void ConfigurePod(EndpointRecord endpoint) => Step("configure", () =>
    {
        Assert.Contains(endpoint.Key.HostInterface, Programs);
        Assert.All(endpoint.Addresses, a => Assert.Equal(endpoint.Number, Entries[a]));
        Configured.Add(endpoint.Key);
    });

    public void ConnectHost(EndpointRecord endpoint, HostLink link) => Step("connect", () => Connected.Add(endpoint.Key));

    /// <summary>Called before an interface is deleted.</summary>
    public Action<EndpointKey>? BeforeDelete { get; set; }

    public void DeleteLink(EndpointKey key)
    {
        BeforeDelete?.Invoke(key);
        Step("delete", () => DropLink(key));
    }

    /// <summary>MAC addresses of node sides that were changed.</summary>
    public Dictionary<EndpointKey, string> ChangedMacs { get; } = [];

    public EndpointRecord Current(EndpointRecord endpoint) =>
        ChangedMacs.TryGetValue(endpoint.Key, out var mac) && endpoint.NodeMac != mac ? endpoint with { NodeMac = mac } : endpoint;

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints) =>
        [.. endpoints.Where(e => Links.ContainsKey(e.Key)
            && ((e.Foreign is null && !Connected.Contains(e.Key)) || !ReferenceEquals(Current(e), e)))
            .Select(e => (e, "it is not connected"))];

    public IReadOnlyList<string> Differences(EndpointRecord endpoint) =>
        Links.ContainsKey(endpoint.Key) ? [] : [$"there is no interface {endpoint.Key.HostInterface} on the node"];

    public void Attach(HostLink link) => Step("attach", () => Programs.Add(link.Name));

    public void Detach(EndpointKey key) => Step("detach", () => Programs.Remove(key.HostInterface));

    public void Publish(EndpointRecord endpoint, HostLink link) => Step("publish", () =>
    {
        foreach (var address in endpoint.Addresses)
            Entries[address] = endpoint.Number;
    });

    public void Withdraw(EndpointRecord endpoint) => Step("withdraw", () =>
    {
        foreach (var address in endpoint.Addresses)
            Entries.Remove(address);
    });

    public void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints)
    {
        Programs.IntersectWith(endpoints.Select(e => e.Key.HostInterface));
        foreach (var stale in Entries.Keys.Except(endpoints.SelectMany(e => e.Addresses)).ToList())
            Entries.Remove(stale);
    }

    public IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link) =>
        endpoint.Addresses.All(Entries.ContainsKey) ? [] : ["the endpoint table has no entry for the pod"];

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints)
    {
        var strays = Links.Keys.Except(endpoints.Select(e => e.Key)).ToList();
        strays.ForEach(DropLink);
        return [.. strays.Select(s => s.HostInterface)];
    }

    /// <summary>The pod's namespace is deleted: the kernel takes the pair of interfaces with it.</summary>
    public void LoseLink(EndpointKey key) => DropLink(key);

    private void DropLink(EndpointKey key)
    {
        Links.Remove(key);
        Configured.Remove(key);
        Connected.Remove(key);
    }

    private void Step(string name, Action effect)
    {
        lock (_lock)
            MostAtOnce = Math.Max(MostAtOnce, ++_now);
        try
        {
            lock (_lock)
            {
                Steps.Add(name);
                if (FailAt == name && !FailAfterEffect)
                    throw new InvalidOperationException($"{name} fails");
                effect();
                if (FailAt == name)
                    throw new InvalidOperationException($"{name} fails after its effect");
            }
        }
        finally
        {
            lock (_lock)
                _now--;
        }
    }
}
