using System.Text;
using System.Text.Json;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>A handler over a fake node and a real store; <see cref="Restart"/> is what a killed and restarted agent sees.</summary>
internal sealed class CniFixture : IDisposable
{
    public const string Container = "c1";

    private readonly TemporaryDirectory _state = new();

    public CniFixture(params string[] ranges)
    {
        Restart();
        Store.SetRanges([.. (ranges.Length > 0 ? ranges : ["10.1.0.0/24", "fd00:1::/120"]).Select(PodCidr.Parse)]);
    }

    public FakeNode Node { get; } = new();
    public NoHostPorts HostPorts { get; } = new();
    public FakeTimeProvider Time { get; } = new(DateTimeOffset.UnixEpoch.AddYears(50));
    public EndpointStore Store { get; private set; } = null!;
    public CniHandler Handler { get; private set; } = null!;
    public PendingDeletes Pending { get; private set; } = null!;

    /// <summary>What the status says about the kernel's tables.</summary>
    public bool Current { get; set; } = true;

    /// <summary>Counts from the next <see cref="Restart"/> on.</summary>
    public bool Chained { get; set; }

    public string QueueDirectory => Path.Combine(_state.Path, "deletes");
    public string EndpointDirectory => Path.Combine(_state.Path, "endpoints");
    public IEnumerable<string> Files => Directory.EnumerateFiles(EndpointDirectory);

    /// <summary>The file of podCIDRs and resting addresses cannot be written any more.</summary>
    public void BreakPoolFile()
    {
        File.Delete(Path.Combine(_state.Path, "addresses.json"));
        Directory.CreateDirectory(Path.Combine(_state.Path, "addresses.json"));
    }

    public void Restart(bool adopt = false)
    {
        Handler?.Dispose();
        Store = StoreAt(_state.Path);
        Pending = new PendingDeletes(QueueDirectory, NullLogger<PendingDeletes>.Instance);
        Handler = HandlerOver(Node);
        if (adopt)
            new EndpointAdoption(Store, Node, Node, Pending, NullLogger<EndpointAdoption>.Instance).Run();
    }

    public EndpointStore StoreAt(string directory) =>
        new(new EndpointFiles(directory, "n1"), TimeSpan.FromSeconds(60), Time, NullLogger<EndpointStore>.Instance);

    public CniHandler HandlerOver<TNode>(TNode node, EndpointStore? store = null) where TNode : IPodNetwork, IEndpointPrograms =>
        new(store ?? Store, node, node, HostPorts, Pending,
            new CniLimits(4, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(2)) { Current = () => Current, Chained = Chained },
            NullLogger<CniHandler>.Instance);

    public static CniRequest Request(
        string command, string container = Container, string netns = "/ns/a", string version = "1.0.0", string extra = "",
        string network = "k8s") =>
        CniRequest.Parse(Encoding.UTF8.GetBytes(
            $$$"""
            {"command":"{{{command}}}","containerId":"{{{container}}}","netns":"{{{netns}}}","ifname":"eth0",
             "args":"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u-1","path":"/opt/cni/bin",
             "config":{"cniVersion":"{{{version}}}","name":"{{{network}}}","type":"ebpf-cni"{{{extra}}}}}
            """));

    public async Task<JsonElement> Run(CniRequest request) =>
        JsonDocument.Parse(await Handler.HandleAsync(request, TestContext.Current.CancellationToken)).RootElement;

    public Task<JsonElement> Run(string command, string container = Container, string netns = "/ns/a") =>
        Run(Request(command, container, netns));

    public async Task<CniException> Fails(CniRequest request) => await Assert.ThrowsAsync<CniException>(() => Run(request));

    public static string[] AddressesOf(JsonElement answer) =>
        [.. answer.GetProperty("result").GetProperty("ips").EnumerateArray().Select(i => i.GetProperty("address").GetString()!)];

    public void Dispose()
    {
        Handler.Dispose();
        _state.Dispose();
    }
}
