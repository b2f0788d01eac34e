using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>The packet programs of one build, loaded with private tables, and the agent's part: filling these tables.</summary>
internal sealed class TcObjects : IDisposable
{
    /// <summary>The agent's defaults.</summary>
    private const ConfigFlags Flags = ConfigFlags.RedirectPeer | ConfigFlags.SetRetval | ConfigFlags.DropEvents | ConfigFlags.TcServices
        | ConfigFlags.Masquerade | ConfigFlags.BindGuard;

    private const uint MostBackends = 1 << 12;

    private readonly ITcLayout _layout;
    private readonly uint _connections;
    private readonly List<BpfObject> _objects = [];
    private readonly Dictionary<string, BpfMap> _tables = [];
    private readonly Dictionary<Hook, BpfProgram> _programs = [];
    private uint _nextSegment;
    private uint _nextService = 1;

    /// <param name="layout">The build.</param>
    /// <param name="connections">Size of a connection table.</param>
    public TcObjects(ITcLayout layout, uint connections)
    {
        (_layout, _connections) = (layout, connections);
        try
        {
            foreach (var name in new[] { "pod", "uplink", "overlay" })
                Load(Path.Combine(layout.Directory, name + ".bpf.o"));
            foreach (var (hook, name) in new[]
            {
                (Hook.PodEgress, "ebc_pod_egress"), (Hook.UplinkIngress, "ebc_uplink_ingress"),
                (Hook.OverlayIngress, "ebc_overlay_ingress"), (Hook.OverlayEgress, "ebc_overlay_egress"),
            })
                _programs.Add(hook, _objects.Single(o => o.ProgramNames.Contains(name)).GetProgram(name));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public BpfProgram Program(Hook hook) => _programs[hook];

    public BpfMap Table(string name) => _tables[name];

    /// <summary>A descriptor of its own of a table.</summary>
    public BpfMap Duplicate(string name) => _objects[0].GetMap(name);

    /// <summary>The map behind a section of globals, one per object.</summary>
    public IEnumerable<BpfMap> Globals(string section) =>
        _objects.Where(o => o.Maps.Any(m => m.Name == section)).Select(o => o.GetMap(section));

    public void SetNode(NodeEnd node) => _layout.SetNode(this, node);

    public void SetUplink(int ifindex, string v4, string v6) =>
        Table(MapNames.Uplink).Update(new UplinkKey((uint)ifindex), new Uplink(Addr.Parse(v4), Addr.Parse(v6)));

    public void AddPod(string address, int ifindex, MacAddr pod, MacAddr host) =>
        Table(MapNames.Endpoint).Update(
            new EpKey(Addr.Parse(address)), new Ep((uint)ifindex, (uint)ifindex, pod, host, EpFlags.None));

    /// <summary>Writes a prefix: its kind, and the tunnel device and node behind which it lies, if any.</summary>
    public void AddPrefix(string prefix, IpcacheFlags flags, int tunnel = 0, string? peer = null)
    {
        var network = System.Net.IPNetwork.Parse(prefix);
        var bits = network.BaseAddress.GetAddressBytes().Length == 4 ? 96 : 0;
        Table(MapNames.Ipcache).Update(
            new IpcacheKey((uint)(bits + network.PrefixLength), Addr.From(network.BaseAddress)),
            tunnel == 0 ? new Ipcache(flags) : new Ipcache(flags, (uint)tunnel, Addr.Parse(peer!)));
    }

    /// <summary>Writes a frontend and its backends, in ascending order, as "10.0.0.1:80" or "[fd00::1]:80".</summary>
    public void AddService(string frontend, IpProtocol protocol, params string[] backends)
    {
        var front = IPEndPoint.Parse(frontend);
        var offset = _nextSegment;
        foreach (var backend in backends.Select(IPEndPoint.Parse))
            Table(MapNames.Backend).Update(
                _nextSegment++,
                new Backend(Addr.From(backend.Address), U16Be.FromHost((ushort)backend.Port), BackendFlags.None, _nextService));
        Table(MapNames.Service).Update(
            new SvcKey(Addr.From(front.Address), U16Be.FromHost((ushort)front.Port), protocol, Scope.Internal),
            new Svc(offset, (uint)backends.Length, _nextService++, SvcFlags.None, 0));
    }

    /// <summary>Deletes all connections.</summary>
    /// <returns>The number of deleted entries.</returns>
    public int Forget() => _layout.Connections.Sum(name => _layout.Forget(Table(name)));

    public void Dispose()
    {
        foreach (var owned in _programs.Values.Cast<IDisposable>().Concat(_tables.Values).Concat(_objects))
            owned.Dispose();
    }

    /// <summary>The first object creates the tables, the others reuse them.</summary>
    private void Load(string path)
    {
        var opened = BpfObject.Open(path);
        _objects.Add(opened);
        _layout.Configure(opened, Flags);
        foreach (var map in opened.Maps.Where(m => m.Name.StartsWith("ebc_", StringComparison.Ordinal)))
        {
            if (_layout.Connections.Contains(map.Name))
                opened.SetMaxEntries(map.Name, _connections);
            else if (map.Name == MapNames.Backend)
                opened.SetMaxEntries(map.Name, MostBackends);
            if (_tables.TryGetValue(map.Name, out var known))
                opened.ReuseMap(map.Name, known);
        }
        opened.Load();
        foreach (var map in opened.Maps.Where(m => m.Name.StartsWith("ebc_", StringComparison.Ordinal) && !_tables.ContainsKey(m.Name)))
            _tables.Add(map.Name, opened.GetMap(map.Name));
    }
}
