using System.Text;
using System.Text.Json;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Pods.Tests.Requests;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>A node in a network namespace with a real dataplane, and pods' namespaces beside it. Removes all it made.</summary>
internal sealed class RealNode : IDisposable
{
    /// <summary>Of pods that come after the next start.</summary>
    public PodAttachment Attachment { get; set; } = PodAttachment.Clsact;

    /// <summary>How long addresses rest.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _directory = new();
    private readonly string _bpffs = $"/sys/fs/bpf/ebc-agent-test-{Guid.NewGuid():N}";
    private readonly Dictionary<string, NetworkNamespace> _pods = [];

    /// <summary>Without processes: its hooks are there for their tables.</summary>
    private readonly string _cgroup = Path.Combine(Kernel.Host.CgroupDirectory.FindMountPoint(), $"ebpf-cni-test-{Guid.NewGuid():N}");

    public RealNode()
    {
        Kernel.Host.CgroupDirectory.Create(_cgroup);
        Namespace = NetworkNamespace.Create(_directory["node"]);
        try
        {
            Namespace.Run(() => new NodeSetup(new SysctlTree(SysctlTree.Usual), NullLogger<NodeSetup>.Instance)
                .Run([System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.AddressFamily.InterNetworkV6]));
            Open();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public NetworkNamespace Namespace { get; }
    public NodeDataplane Dataplane { get; private set; } = null!;
    public EndpointStore Store { get; private set; } = null!;
    public CniHandler Handler { get; private set; } = null!;
    public NodeState State { get; private set; } = null!;
    public PodConnections Connections { get; private set; } = null!;
    public PodDevices Devices { get; } = new();

    /// <summary>Kills the agent's share at one of its steps.</summary>
    public KillSwitch Kill { get; } = new();

    public string this[string name] => _directory[name];

    public string BpffsRoot => _bpffs;

    public IEnumerable<string> Files => Directory.EnumerateFiles(_directory["endpoints"]);

    public NetworkNamespace Pod(string name)
    {
        if (!_pods.TryGetValue(name, out var pod))
            _pods.Add(name, pod = NetworkNamespace.Create(PodPath(name)));
        return pod;
    }

    public string PodPath(string name) => _directory[name];

    /// <summary>The namespace goes, as when a runtime has torn the sandbox down before DEL.</summary>
    public void RemovePod(string name)
    {
        _pods.Remove(name, out var pod);
        pod!.Dispose();
        NetworkNamespace.Remove(PodPath(name));
    }

    /// <summary>What a new agent does after the old one has died.</summary>
    public void Restart()
    {
        Dataplane.Dispose();
        Handler.Dispose();
        Open();
    }

    /// <summary>The same without loading the programs again, which takes longest and is not about pods.</summary>
    public void RestartPods()
    {
        Handler.Dispose();
        OpenPods();
    }

    public async Task<JsonElement> Run(string command, string pod, string extra = "", string version = "1.0.0")
    {
        var request = CniRequest.Parse(Encoding.UTF8.GetBytes(
            $$$"""
            {"command":"{{{command}}}","containerId":"{{{pod}}}","netns":"{{{PodPath(pod)}}}","ifname":"eth0","args":"","path":"",
             "config":{"cniVersion":"{{{version}}}","name":"k8s"{{{extra}}}}}
            """));
        return JsonDocument.Parse(await Handler.HandleAsync(request, TestContext.Current.CancellationToken)).RootElement;
    }

    public void Dispose()
    {
        Handler?.Dispose();
        Dataplane?.Dispose();
        foreach (var name in _pods.Keys.ToList())
            RemovePod(name);
        Namespace.Dispose();
        NetworkNamespace.Remove(_directory["node"]);
        if (Directory.Exists(_bpffs))
            Directory.Delete(_bpffs, recursive: true);
        Kernel.Host.CgroupDirectory.Open(_cgroup).Remove();
        _directory.Dispose();
    }

    private void Open()
    {
        Dataplane = Namespace.Run(() => NodeDataplane.Open(new DataplaneOptions
        {
            BpffsRoot = _bpffs, ObjectDirectory = Path.GetDirectoryName(Repository.BpfObject("pod"))!, CgroupRoot = _cgroup,
            ServiceTableSize = 1024, BackendTableSize = 4096, ConntrackTcpMax = 1024, ConntrackOtherMax = 1024, SocketFlowsMax = 4096,
            EndpointTableSize = 64,
        }));
        OpenPods();
    }

    /// <summary>As the agent does at its start.</summary>
    private void OpenPods()
    {
        Kill.Revive();
        Store = new EndpointStore(
            new EndpointFiles(_directory.Path, "n1"), Rest, TimeProvider.System, NullLogger<EndpointStore>.Instance);
        Store.SetRanges([PodCidr.Parse("10.201.0.0/24"), PodCidr.Parse("fd00:201::/120")]);
        State = new NodeState(Store, new SyncOptions("n"), TimeProvider.System);
        Connections = new PodConnections(Dataplane.Conntrack.PurgeAddresses, TimeProvider.System, NullLogger<PodConnections>.Instance);
        var real = new InNode(
            Namespace, new VethPodNetwork(new PodMtu(new SyncOptions("n")), new SysctlTree(SysctlTree.Usual)),
            new DataplaneEndpointPrograms(Dataplane, new AttachmentChoice(Attachment, chained: false, "").Links, Connections, Devices));
        var mortal = new MortalNode(real, Kill);
        var pending = new PendingDeletes(_directory["deletes"], NullLogger<PendingDeletes>.Instance);
        Handler = new CniHandler(
            new MortalStore(Store, Kill), mortal, mortal, new NoHostPorts(), pending,
            new CniLimits(8, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1)),
            NullLogger<CniHandler>.Instance);
        new EndpointAdoption(Store, real, real, pending, NullLogger<EndpointAdoption>.Instance).Run();
        Handler.DeletePendingAsync(CancellationToken.None).GetAwaiter().GetResult();
    }
}
