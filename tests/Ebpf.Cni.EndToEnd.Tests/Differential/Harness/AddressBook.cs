using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>Who has which address in the cluster under test.</summary>
internal sealed class AddressBook
{
    /// <summary>What answers carry as the client's address when a pod reached itself.</summary>
    private static readonly ImmutableArray<IPAddress> Masks = [IPAddress.Parse("169.254.1.1"), IPAddress.Parse("100::ecc:1")];

    private readonly Dictionary<(Client, Family), IPAddress> _clients = [];
    private readonly Dictionary<(Backend, Family), IPAddress> _backends = [];
    private readonly Dictionary<(Site, Family), IPAddress> _nodes = [];

    public IPAddress this[Client client, Family family] => _clients[(client, family)];

    public IPAddress this[Backend backend, Family family] => _backends[(backend, family)];

    public IPAddress this[Site node, Family family] => _nodes[(node, family)];

    public void Add(Client client, IPAddress address) => _clients[(client, FamilyOf(address))] = address;

    public void Add(Backend backend, IPAddress address) => _backends[(backend, FamilyOf(address))] = address;

    public void Add(Site node, IPAddress address) => _nodes[(node, FamilyOf(address))] = address;

    /// <summary>Whether a backend that sees this address sees one of these sources.</summary>
    public bool Is(IPAddress seen, Source sources, Scenario scenario) =>
        (sources.HasFlag(Source.Client) && seen.Equals(this[scenario.Client, scenario.Service.Family]))
        || (sources.HasFlag(Source.Node) && IsNode(seen, scenario))
        || (sources.HasFlag(Source.Masked) && Masks.Contains(seen));

    /// <summary>The words of a verdict for an address.</summary>
    public string Describe(IPAddress seen, Scenario scenario) =>
        IsNode(seen, scenario) ? "node"
        : seen.Equals(this[scenario.Client, scenario.Service.Family]) ? "client"
        : Masks.Contains(seen) ? "masked"
        : seen.ToString();

    // what the node tells itself over loopback also comes from the node
    private bool IsNode(IPAddress seen, Scenario scenario) =>
        seen.Equals(this[scenario.Entry, scenario.Service.Family])
            || (IPAddress.IsLoopback(seen) && scenario.Client.Site() == scenario.Entry);

    private static Family FamilyOf(IPAddress address) =>
        address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? Family.V4 : Family.V6;
}
