using System.Globalization;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// pod.bpf.o, loaded with tables of its own. Test runs happen on the loopback interface, so the pod that sends is the one
/// whose veth has ifindex 1.
/// </summary>
internal sealed class PodPrograms : IDisposable
{
    public const uint ClientIfindex = 1;
    public const uint ServerIfindex = 77;
    public const uint Ok = 0, Shot = 2, Redirect = 7;
    public const ConfigFlags Usual = ConfigFlags.RedirectPeer | ConfigFlags.SetRetval | ConfigFlags.TcServices;

    private readonly List<IDisposable> _owned = [];
    private readonly BpfProgram _egress;
    private readonly BpfProgram _ingress;
    private readonly BpfMap _metrics;
    private uint _nextSegment;
    private uint _nextService = 1;

    public PodPrograms(ConfigFlags flags = Usual, uint conntrackEntries = 65536)
    {
        Requires.Root();
        using var pod = BpfObject.Open(Repository.BpfObject("pod"));
        pod.SetReadOnlyGlobal(MapNames.Config, new Config(flags));
        pod.SetMaxEntries(MapNames.Conntrack, conntrackEntries);
        pod.SetMaxEntries(MapNames.Backend, 65536);
        pod.Load();
        _egress = Own(pod.GetProgram("ebc_pod_egress"));
        _ingress = Own(pod.GetProgram("ebc_pod_ingress"));
        _metrics = Own(pod.GetMap(MapNames.Metric));
        Services = Own(pod.GetMap(MapNames.Service));
        Backends = Own(pod.GetMap(MapNames.Backend));
        Conntrack = Own(pod.GetMap(MapNames.Conntrack));
        Endpoints = Own(pod.GetMap(MapNames.Endpoint));
        Events = Own(pod.GetMap(MapNames.Events));
    }

    public BpfMap Services { get; }
    public BpfMap Backends { get; }
    public BpfMap Conntrack { get; }
    public BpfMap Endpoints { get; }
    public BpfMap Events { get; }

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

    public BpfTestRunResult Send(byte[] packet, int repeat = 1) => _egress.TestRun(packet, repeat: repeat);

    /// <summary>From the host's stack to the client pod.</summary>
    public BpfTestRunResult Receive(Packet packet) => Receive(packet.Bytes());

    public BpfTestRunResult Receive(byte[] packet) => _ingress.TestRun(packet);

    public ulong Count(Reason reason, Hook hook = Hook.PodEgress)
    {
        var cpus = new Metric[BpfMap.PossibleCpus];
        _metrics.LookupPerCpu(Metric.Index(reason, hook), cpus.AsSpan());
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
        foreach (var owned in _owned)
            owned.Dispose();
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }
}

/// <summary>The addresses of the tests, a family each.</summary>
internal static class Address
{
    public const string Client4 = "10.1.0.10", Client6 = "fd00:1::10";
    public const string Server4 = "10.1.0.20", Server6 = "fd00:1::20";
    public const string Remote4 = "10.2.0.30", Remote6 = "fd00:2::30";
    public const string Vip4 = "10.96.0.1", Vip6 = "fd00:96::1";
    public const string Gateway4 = "169.254.1.1", Gateway6 = "fe80::ecc:1";
    public const string Hairpin4 = "169.254.1.1", Hairpin6 = "100::ecc:1";

    public static string Client(bool v6) => v6 ? Client6 : Client4;
    public static string Server(bool v6) => v6 ? Server6 : Server4;
    public static string Remote(bool v6) => v6 ? Remote6 : Remote4;
    public static string Vip(bool v6) => v6 ? Vip6 : Vip4;
    public static string Hairpin(bool v6) => v6 ? Hairpin6 : Hairpin4;
    public static string At(string address, int port) => address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{port}" : $"{address}:{port}";
}
