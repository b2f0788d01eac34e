using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Tests;
using Ebpf.Cni.Dataplane.Tests.Services;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>
/// A server whose objects change at random, and its watches: events arrive one by one, in bursts, late, twice, and in any order between
/// kinds (a slice before its Service, a deletion before the addition that it undid elsewhere). The kernel fails now and then.
/// </summary>
internal sealed class Storm(Random random, RunningLoop loop)
{
    private readonly RandomCluster _server = new(random);
    private readonly IStormWatch[] _watches =
    [
        new StormWatch<ServiceSnapshot>(loop.Store.Services, c => c.Services),
        new StormWatch<EndpointSliceSnapshot>(loop.Store.EndpointSlices, c => c.EndpointSlices),
        new StormWatch<NodeSnapshot>(loop.Store.Nodes, c => c.Nodes.Select(n => KeyValuePair.Create(new ObjectName("", n.Key), n.Value))),
    ];

    private long _version = 1000;
    private bool _faults;

    /// <summary>Events that arrived.</summary>
    public int Events { get; private set; }

    /// <summary>Pods that waited for an apply.</summary>
    public int Pods { get; private set; }

    /// <summary>Moments at which the tables were compared.</summary>
    public int QuietPoints { get; private set; }

    /// <summary>Longest that a change waited while the kernel did not fail.</summary>
    public TimeSpan LongestWait { get; private set; }

    public async Task RunAsync(TimeSpan simulated)
    {
        var end = loop.Clock.GetUtcNow() + simulated;
        while (loop.Clock.GetUtcNow() < end)
            await PhaseAsync();
        await QuietAsync();
    }

    private Task PhaseAsync() => random.Next(12) switch
    {
        0 => QuietAsync(),
        1 or 2 => BurstAsync(),
        3 => RelistAsync(),
        4 => NodeAsync(),
        5 => PodAsync(),
        6 => FailAsync(),
        _ => OneByOneAsync(),
    };

    private async Task OneByOneAsync()
    {
        for (var changes = random.Next(1, 30); changes > 0; changes--)
        {
            Change();
            // Not all that is on the way arrives, and not from all kinds.
            for (var events = random.Next(4); events > 0; events--)
                await ArriveAsync();
            await PassAsync(random.Next(5) == 0 ? 400 : 30);
        }
    }

    private async Task BurstAsync()
    {
        for (var changes = random.Next(10, 100); changes > 0; changes--)
            Change();
        while (_watches.Any(w => w.Waiting > 0) && random.Next(100) != 0)
        {
            await ArriveAsync();
            if (random.Next(4) == 0)
                await PassAsync(3);
        }
    }

    private async Task RelistAsync()
    {
        _watches[random.Next(_watches.Length)].List();
        await PassAsync(20);
    }

    private async Task NodeAsync()
    {
        string[] addresses = ["192.168.0.1", "203.0.113.1", "10.96.0.3"];
        loop.Node.SetNetworkState(RunningLoop.Facts(addresses[..random.Next(1, 4)]));
        await PassAsync(20);
    }

    /// <summary>It is not held up, whatever else goes on.</summary>
    private async Task PodAsync()
    {
        Pods++;
        var wait = loop.Node.AppliedAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        await loop.SettleAsync();
        if (!_faults)
            await wait;
        await PassAsync(20);
    }

    private async Task FailAsync()
    {
        _faults = true;
        loop.Kernel.Tables.NextFault = () => random.Next(60) switch { 0 => Fault.Fail, 1 => Fault.FailAfterwards, _ => Fault.None };
        await OneByOneAsync();
    }

    /// <summary>
    /// All that is on the way arrives, the kernel does not fail, and what was owed is paid: then the tables are what a compile from nothing
    /// makes of the server's objects.
    /// </summary>
    private async Task QuietAsync()
    {
        loop.Kernel.Tables.NextFault = () => Fault.None;
        foreach (var watch in _watches)
            while (watch.Waiting > 0)
                watch.Deliver();
        await loop.AdvanceAsync(RunningLoop.Interval);
        if (_faults)
            await loop.AdvanceAsync(TimeSpan.FromSeconds(30)); // the longest delay
        _faults = false;
        Assert.Null(loop.Status.Waiting);
        var compiled = ClusterCompiler.Compile(_server.Cluster, loop.Node.Seen.View!.Context, IdTable.Empty);
        Assert.Equal(TablesText.Promised(compiled), TablesText.Held(loop.Kernel.Tables, loop.Applied.Names));
        Assert.Equal(default, loop.Kernel.Services.Verify());
        QuietPoints++;
    }

    private void Change()
    {
        var before = _server.Cluster;
        _server.Step();
        foreach (var watch in _watches)
            watch.Change(before, _server.Cluster, () => ++_version);
    }

    private async Task ArriveAsync()
    {
        var waiting = _watches.Where(w => w.Waiting > 0).ToList();
        if (waiting.Count == 0)
            return;
        var watch = waiting[random.Next(waiting.Count)];
        if (random.Next(10) == 0)
            watch.Repeat(random);
        watch.Deliver();
        Events++;
        await SettleAsync();
    }

    private async Task PassAsync(int mostMilliseconds)
    {
        await loop.AdvanceAsync(TimeSpan.FromMilliseconds(random.Next(mostMilliseconds + 1)));
        await SettleAsync();
    }

    private async Task SettleAsync()
    {
        await loop.SettleAsync();
        if (_faults || loop.Status.Waiting is not { } waiting)
            return;
        LongestWait = waiting > LongestWait ? waiting : LongestWait;
        Assert.False(waiting > RunningLoop.Interval, $"a change has waited for {waiting}");
    }
}
