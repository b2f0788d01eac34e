using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// pod.bpf.o with empty tables. Loading takes longer than most tests, so what one test is done with is emptied and lent to the
/// next. Test runs happen on the loopback interface, so the pod that sends is the one whose veth has ifindex 1.
/// </summary>
internal sealed class PodPrograms : IDisposable
{
    public const uint ClientIfindex = 1;
    public const uint ServerIfindex = 77;
    /// <summary>On to the next program, in the end to the stack: TC_ACT_UNSPEC.</summary>
    public const uint Ok = uint.MaxValue;
    public const uint Shot = 2, Redirect = 7;
    public const ConfigFlags Usual = ConfigFlags.RedirectPeer | ConfigFlags.SetRetval | ConfigFlags.TcServices;

    private static readonly ConcurrentDictionary<(Config, uint), ConcurrentBag<LoadedPod>> Idle = new();

    private readonly LoadedPod _loaded;
    private readonly (Config Config, uint Conntrack) _kind;
    private uint _nextSegment;
    private uint _nextService = 1;

    public PodPrograms(ConfigFlags flags = Usual) : this(new Config(flags))
    {
    }

    /// <param name="config">Of all programs.</param>
    /// <param name="conntrack">Entries of the connection table.</param>
    public PodPrograms(Config config, uint conntrack = 65536)
    {
        Requires.Root();
        _kind = (config, conntrack);
        _loaded = Idle.GetOrAdd(_kind, _ => []).TryTake(out var idle) ? idle : new LoadedPod(config, conntrack);
    }

    public BpfMap Services => _loaded.Services;
    public BpfMap Backends => _loaded.Backends;
    public ConntrackMaps Conntrack => _loaded.Conntrack;
    public BpfMap Endpoints => _loaded.Endpoints;
    public BpfMap Events => _loaded.Events;

    /// <summary>The pod that sends, and one that is somewhere else on the node.</summary>
    public PodPrograms WithPods()
    {
        foreach (var address in new[] { Address.Client4, Address.Client6 })
            AddPod(address, ClientIfindex, Macs.Client, Macs.Gateway);
        foreach (var address in new[] { Address.Server4, Address.Server6 })
            AddPod(address, ServerIfindex, Macs.Server, Macs.ServerGateway);
        return this;
    }

    public void AddPod(string address, uint ifindex, MacAddr pod, MacAddr host) =>
        Endpoints.Update(new EpKey(Addr.Parse(address)), new Ep(ifindex, ifindex, pod, host, EpFlags.None));

    /// <summary>A service with the given backends, written as "10.0.0.1:80" or "[fd00::1]:80"; returns its key.</summary>
    public SvcKey AddService(string frontend, IpProtocol protocol, params string[] backends) =>
        SetService(Key(frontend, protocol), SvcFlags.None, backends);

    /// <summary>As the agent does it: a new segment first, then one switch.</summary>
    public SvcKey SetService(SvcKey key, SvcFlags flags, params string[] backends) => SetService(key, flags, BackendFlags.None, backends);

    public SvcKey SetService(SvcKey key, SvcFlags flags, BackendFlags where, params string[] backends)
    {
        var id = Services.TryLookup(key, out Svc known) ? known.ServiceId : _nextService++;
        var offset = _nextSegment;
        foreach (var backend in backends)
        {
            var at = IPEndPoint.Parse(backend);
            Backends.Update(_nextSegment++, new Backend(Addr.From(at.Address), U16Be.FromHost((ushort)at.Port), where, id));
        }
        Services.Update(key, new Svc(offset, (uint)backends.Length, id, flags, 0));
        return key;
    }

    public static SvcKey Key(string frontend, IpProtocol protocol, Scope scope = Scope.Internal)
    {
        var at = IPEndPoint.Parse(frontend);
        return new SvcKey(Addr.From(at.Address), U16Be.FromHost((ushort)at.Port), protocol, scope);
    }

    /// <summary>The marker of a cluster IP: whatever port it does not have is refused.</summary>
    public void AddAddressMarker(string address) =>
        Services.Update(new SvcKey(Addr.Parse(address), U16Be.FromHost(0), 0, Scope.Internal), new Svc(0, 0, 0, SvcFlags.Address, 0));

    /// <summary>The addresses of a device, 0 for the node's.</summary>
    public void SetUplink(int ifindex, string v4, string v6)
    {
        if (ifindex == 0)
            _loaded.Globals.SetOwn(Addr.Parse(v4), Addr.Parse(v6));
        else
            _loaded.Uplinks.Update(new UplinkKey((uint)ifindex), new Uplink(Addr.Parse(v4), Addr.Parse(v6)));
    }

    /// <summary>From now on flows ask the frontends once for each of these calls; before the first they ask with every packet.</summary>
    public void Settle() => _loaded.Globals.Changing().Dispose();

    /// <summary>"10.0.0.0/8": inside the cluster.</summary>
    public void AddCluster(string prefix, IpcacheFlags flags)
    {
        var network = System.Net.IPNetwork.Parse(prefix);
        var bits = network.BaseAddress.GetAddressBytes().Length == 4 ? 96 : 0;
        _loaded.Ipcache.Update(new IpcacheKey((uint)(bits + network.PrefixLength), Addr.From(network.BaseAddress)), new Ipcache(flags));
    }

    /// <summary>The same of what is reached through the tunnel to the node with this address.</summary>
    public void AddTunnelled(string prefix, IpcacheFlags flags, string peer)
    {
        var network = System.Net.IPNetwork.Parse(prefix);
        var bits = network.BaseAddress.GetAddressBytes().Length == 4 ? 96 : 0;
        _loaded.Ipcache.Update(
            new IpcacheKey((uint)(bits + network.PrefixLength), Addr.From(network.BaseAddress)), new Ipcache(flags, 1, Addr.Parse(peer)));
    }

    /// <summary>The node's end of the tunnels.</summary>
    public void SetOverlay(int ifindex, int mtu, ushort port = 8472, uint vni = 1) =>
        _loaded.Globals.SetOverlay(new Abi.Overlay((uint)ifindex, vni, (uint)mtu, U16Be.FromHost(port)));

    /// <summary>Who may use a service with <see cref="SvcFlags.SourceRanges"/>.</summary>
    public void AddSourceRange(SvcKey service, string prefix)
    {
        Assert.True(Services.TryLookup(service, out Svc svc));
        var network = System.Net.IPNetwork.Parse(prefix);
        var bits = network.BaseAddress.GetAddressBytes().Length == 4 ? 128 : 32;
        _loaded.SourceRanges.Update(
            new SrangeKey((uint)(bits + network.PrefixLength), U32Be.FromHost(svc.ServiceId), Addr.From(network.BaseAddress)),
            new Srange(1));
    }

    /// <summary>Sent by the client pod.</summary>
    public BpfTestRunResult Send(Packet packet) => Send(packet.Bytes());

    public BpfTestRunResult Send(byte[] packet, int repeat = 1) => _loaded.Egress.TestRun(packet, repeat: repeat);

    /// <summary>From the host's stack to the client pod.</summary>
    public BpfTestRunResult Receive(Packet packet) => Receive(packet.Bytes());

    public BpfTestRunResult Receive(byte[] packet) => _loaded.Ingress.TestRun(packet);

    /// <summary>From the network. Test runs happen on the loopback interface, to whose MAC address it must be sent.</summary>
    public BpfTestRunResult Arrive(Packet packet) => Arrive((packet with { DstMac = default }).Bytes());

    public BpfTestRunResult Arrive(byte[] packet) => _loaded.UplinkIngress.TestRun(packet);

    /// <summary>Sent by the node's own sockets.</summary>
    public BpfTestRunResult Leave(Packet packet) => Leave(packet.Bytes());

    public BpfTestRunResult Leave(byte[] packet) => _loaded.HostEgress.TestRun(packet);

    /// <summary>Out of a tunnel; a test run's packet came by none.</summary>
    public BpfTestRunResult Unpack(Packet packet) => _loaded.OverlayIngress.TestRun((packet with { DstMac = default }).Bytes());

    /// <summary>Into a tunnel.</summary>
    public BpfTestRunResult Pack(Packet packet) => Pack(packet.Bytes());

    public BpfTestRunResult Pack(byte[] packet, int repeat = 1) => _loaded.OverlayEgress.TestRun(packet, repeat: repeat);

    /// <summary>Onto the tunnels' device, in the network namespace of the calling thread.</summary>
    public List<BpfLink> AttachOverlay(int ifindex) =>
    [
        BpfLink.AttachTcx(_loaded.OverlayIngress, ifindex, TcDirection.Ingress),
        BpfLink.AttachTcx(_loaded.OverlayEgress, ifindex, TcDirection.Egress),
    ];

    /// <summary>Onto an uplink, in the network namespace of the calling thread.</summary>
    public List<BpfLink> AttachUplink(int ifindex) =>
    [
        BpfLink.AttachTcx(_loaded.UplinkIngress, ifindex, TcDirection.Ingress),
        BpfLink.AttachTcx(_loaded.HostEgress, ifindex, TcDirection.Egress),
    ];

    /// <summary>Onto the node's loopback device, where tc translates what the node sends.</summary>
    public BpfLink AttachLoopback() => BpfLink.AttachTcx(_loaded.HostEgress, 1, TcDirection.Egress);

    /// <summary>Onto a veth's host side, in the network namespace of the calling thread.</summary>
    public List<BpfLink> Attach(int ifindex) =>
    [
        BpfLink.AttachTcx(_loaded.Egress, ifindex, TcDirection.Ingress),
        BpfLink.AttachTcx(_loaded.Ingress, ifindex, TcDirection.Egress),
    ];

    public ulong Count(Reason reason, Hook hook = Hook.PodEgress)
    {
        var cpus = new Cpu[BpfMap.PossibleCpus];
        _loaded.Cpu.LookupPerCpu(0u, cpus.AsSpan());
        return cpus.Aggregate(0UL, (sum, cpu) => sum + cpu.Count(hook, reason).Packets);
    }

    /// <summary>All counters that are not 0, as text.</summary>
    public string Counts() => string.Join(" ", from hook in Enum.GetValues<Hook>()
                                               from reason in Enum.GetValues<Reason>()
                                               let n = Count(reason, hook)
                                               where n > 0
                                               select string.Create(CultureInfo.InvariantCulture, $"{hook}.{reason}={n}"));

    public void Dispose()
    {
        _loaded.Empty();
        Idle[_kind].Add(_loaded);
    }
}
