using System.Net;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.Loop;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.State;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>
/// The real loop with all its parts, over a fake kernel and in a time that the test moves. The store is written as the watches write it.
/// </summary>
internal sealed class RunningLoop : IAsyncDisposable
{
    public const string NodeName = "node-0";
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    public static readonly TimeSpan VerifyPeriod = TimeSpan.FromSeconds(600);
    private static readonly TimeSpan RealLimit = TimeSpan.FromMinutes(2);

    private readonly TemporaryDirectory _state = new();
    private readonly KubernetesConnection _nowhere = KubernetesConnection.Anonymous(new Uri("http://127.0.0.1:1"));
    private readonly ClusterSync _sync;
    private readonly TimeSpan _interval;
    private long _version = 1000;

    public RunningLoop(FakeKernel? tables = null, TimeSpan? interval = null)
    {
        _interval = interval ?? Interval;
        var options = new SyncOptions(NodeName)
        {
            Chained = true, MinSyncPeriod = _interval, VerifyPeriod = VerifyPeriod, LocalhostNodePorts = true, ExternalIPs = true,
        };
        Kernel = new FakeDataplane(Clock, tables ?? new FakeKernel(4096, 1 << 16, 4096));
        Store = new SnapshotStore(Clock);
        Status = new SyncStatus(Clock, Patience, () => Store.OldestUntaken);
        // The waits of ADDs have a clock of their own, which stands still.
        var addresses = new EndpointStore(
            new EndpointFiles(_state.Path, NodeName), TimeSpan.FromSeconds(60), new FakeTimeProvider(), NullLogger<EndpointStore>.Instance);
        Node = new NodeState(addresses, options, new FakeTimeProvider());
        var holder = new DataplaneHolder(
            new() { BpffsRoot = "", ObjectDirectory = "", CgroupRoot = "" }, addresses, null!, Clock, NullLogger<DataplaneHolder>.Instance);
        var cleaner = new ConntrackCleaner(holder, Observer, Clock, NullLogger<ConntrackCleaner>.Instance);
        var ranges = new NodeRanges(
            addresses, new NodeSetup(new SysctlTree(_state.Path), NullLogger<NodeSetup>.Instance), options,
            NullLogger<NodeRanges>.Instance);
        var issues = new IssueReport(
            new IssueEvents(_nowhere, NodeName, NullLogger<IssueEvents>.Instance), Observer, Clock, NullLogger<IssueReport>.Instance);
        var report = new SyncReport(Status, Applied, issues, cleaner, Observer);
        _sync = new ClusterSync(Store, Node, ranges, Kernel, report, options, Clock, Log);
    }

    public LoopClock Clock { get; } = new();

    public RecordingObserver Observer { get; } = new();

    public FakeDataplane Kernel { get; }

    public SnapshotStore Store { get; }

    public NodeState Node { get; }

    public SyncStatus Status { get; }

    public AppliedState Applied { get; } = new();

    public KeptLog<ClusterSync> Log { get; } = new();

    /// <summary>How many frontends a client could meet.</summary>
    public int Frontends => Kernel.Tables.Frontends.Count;

    /// <summary>Everything is known and open, the first lists are in, and the loop has applied them.</summary>
    public static async Task<RunningLoop> StartAsync(FakeKernel? tables = null, TimeSpan? interval = null)
    {
        var loop = new RunningLoop(tables, interval);
        await loop.BeginAsync();
        loop.Kernel.Open();
        loop.Node.SetNetworkState(Facts("192.168.0.1"));
        loop.List();
        await loop.SettleAsync();
        await loop.AdvanceAsync(Interval);
        return loop;
    }

    public Task BeginAsync() => _sync.StartAsync(CancellationToken.None);

    /// <summary>Empty first lists of all kinds.</summary>
    public void List()
    {
        Store.Services.Replace([]);
        Store.EndpointSlices.Replace([]);
        Store.Nodes.Replace([]);
    }

    /// <summary>A watch event: a Service of one cluster IP and port.</summary>
    public void Put(int number, int port = 80)
    {
        var name = new ObjectName("ns", $"service-{number}");
        Store.Services.Upsert(new Decoded<ServiceSnapshot>(name, $"uid-{number}", Version(), new ServiceSnapshot
        {
            Name = name, Uid = $"uid-{number}", ClusterIPs = [$"10.96.{number / 250}.{number % 250 + 1}"],
            Ports = [new ServicePortSnapshot("http", "TCP", port)],
        }, null));
    }

    /// <summary>A watch event: the Service's only slice.</summary>
    public void PutSlice(int number, params string[] addresses)
    {
        var name = new ObjectName("ns", $"service-{number}-1");
        Store.EndpointSlices.Upsert(new Decoded<EndpointSliceSnapshot>(name, "", Version(), new EndpointSliceSnapshot
        {
            Name = name, ServiceName = $"service-{number}", Ports = [new EndpointPortSnapshot("http", "TCP", 8080)],
            Endpoints = [.. addresses.Select(a => new EndpointSnapshot([a], true, true, false, NodeName))],
        }, null));
    }

    /// <summary>The kernel has the Service at this port, and the marker of its address.</summary>
    public bool Serves(int number, int port = 80)
    {
        var key = DesiredStates.Key($"10.96.{number / 250}.{number % 250 + 1}", (ushort)port);
        return Kernel.Tables.Frontends.ContainsKey(key);
    }

    public static NodeNetworkState Facts(params string[] addresses) => new(
        [
            new LinkInfo(1, "lo") { Up = true, Running = true },
            new LinkInfo(2, "eth0") { Up = true, Running = true, Ethernet = true, Mtu = 1500 },
        ],
        [
            new AddressInfo(1, IPAddress.Loopback, 8) { Permanent = true },
            .. addresses.Select(a => new AddressInfo(2, IPAddress.Parse(a), 24) { Permanent = true }),
        ],
        [new(IPNetwork.Parse("0.0.0.0/0"), 2)]);

    /// <summary>
    /// Returns once the loop can do nothing more before time passes: each time that it begins to wait is a reason to look.
    /// </summary>
    public async Task SettleAsync()
    {
        while (true)
        {
            var armed = Clock.Armed;
            if (Settled)
                return;
            try
            {
                await (await Task.WhenAny(armed, _sync.ExecuteTask ?? armed).WaitAsync(RealLimit));
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException(
                    $"the loop does not come to rest: {Clock.Timers} timers, untaken since {Store.OldestUntaken}, "
                    + $"{Kernel.Runs.Count} applies", e);
            }
        }
    }

    /// <summary>Time passes, from one thing that the loop waits for to the next.</summary>
    public async Task AdvanceAsync(TimeSpan span)
    {
        await SettleAsync();
        while (span > TimeSpan.Zero)
        {
            var step = Clock.Next is { } next && next < span ? next : span;
            Clock.Advance(step);
            span -= step;
            await SettleAsync();
        }
    }

    /// <summary>Time passes past a call that does not come back, which may be made by the thread that moves the time.</summary>
    public void AdvanceInto(TimeSpan span) => _ = Task.Run(() => Clock.Advance(span));

    public async ValueTask DisposeAsync()
    {
        Kernel.Release();
        await _sync.StopAsync(CancellationToken.None);
        _sync.Dispose();
        Kernel.Dispose();
        _nowhere.Dispose();
        _state.Dispose();
    }

    /// <summary>
    /// One timer means that the loop waits. With a request it waits only for the end of the interval, which its timer tells.
    /// </summary>
    private bool Settled => Clock.Timers == 1
        && ((Store.OldestUntaken is null && !Node.Changed.IsCompleted)
            || (!Node.Awaited.IsCompleted && Clock.Next == _interval - Clock.GetElapsedTime(Kernel.LastEnd)));

    private string Version() => (++_version).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
