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
    public const uint Ok = 0, Shot = 2, Redirect = 7;
    public const ConfigFlags Usual = ConfigFlags.RedirectPeer | ConfigFlags.SetRetval | ConfigFlags.TcServices;

    private static readonly ConcurrentDictionary<ConfigFlags, ConcurrentBag<LoadedPod>> Idle = new();

    private readonly LoadedPod _loaded;
    private readonly ConfigFlags _flags;
    private uint _nextSegment;
    private uint _nextService = 1;

    public PodPrograms(ConfigFlags flags = Usual)
    {
        Requires.Root();
        _flags = flags;
        _loaded = Idle.GetOrAdd(flags, _ => []).TryTake(out var idle) ? idle : new LoadedPod(flags);
    }

    public BpfMap Services => _loaded.Services;
    public BpfMap Backends => _loaded.Backends;
    public BpfMap Conntrack => _loaded.Conntrack;
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
        Endpoints.Update(new EpKey(Addr.Parse(address)), new Ep(ifindex, ifindex, pod, host, 0));

    /// <summary>A service with the given backends, written as "10.0.0.1:80" or "[fd00::1]:80"; returns its key.</summary>
    public SvcKey AddService(string frontend, IpProtocol protocol, params string[] backends) =>
        SetService(Key(frontend, protocol), SvcFlags.None, backends);

    /// <summary>As the agent does it: a new segment first, then one switch.</summary>
    public SvcKey SetService(SvcKey key, SvcFlags flags, params string[] backends)
    {
        var id = Services.TryLookup(key, out Svc known) ? known.ServiceId : _nextService++;
        var offset = _nextSegment;
        foreach (var backend in backends)
        {
            var at = IPEndPoint.Parse(backend);
            Backends.Update(_nextSegment++, new Backend(Addr.From(at.Address), U16Be.FromHost((ushort)at.Port), BackendFlags.None, id));
        }
        Services.Update(key, new Svc(offset, (uint)backends.Length, id, flags, 0));
        return key;
    }

    public static SvcKey Key(string frontend, IpProtocol protocol)
    {
        var at = IPEndPoint.Parse(frontend);
        return new SvcKey(Addr.From(at.Address), U16Be.FromHost((ushort)at.Port), protocol, Scope.Internal);
    }

    /// <summary>Sent by the client pod.</summary>
    public BpfTestRunResult Send(Packet packet) => Send(packet.Bytes());

    public BpfTestRunResult Send(byte[] packet, int repeat = 1) => _loaded.Egress.TestRun(packet, repeat: repeat);

    /// <summary>From the host's stack to the client pod.</summary>
    public BpfTestRunResult Receive(Packet packet) => Receive(packet.Bytes());

    public BpfTestRunResult Receive(byte[] packet) => _loaded.Ingress.TestRun(packet);

    /// <summary>Onto a veth's host side, in the network namespace of the calling thread.</summary>
    public List<BpfLink> Attach(int ifindex) =>
    [
        BpfLink.AttachTcx(_loaded.Egress, ifindex, TcDirection.Ingress),
        BpfLink.AttachTcx(_loaded.Ingress, ifindex, TcDirection.Egress),
    ];

    public ulong Count(Reason reason, Hook hook = Hook.PodEgress)
    {
        var cpus = new Metric[BpfMap.PossibleCpus];
        _loaded.Metrics.LookupPerCpu(Metric.Index(reason, hook), cpus.AsSpan());
        return cpus.Aggregate(0UL, (sum, m) => sum + m.Packets);
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
        Idle[_flags].Add(_loaded);
    }
}
