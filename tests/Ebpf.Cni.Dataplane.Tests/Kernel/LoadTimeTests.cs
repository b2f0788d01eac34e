using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Prints, asserts no time.</summary>
public sealed class LoadTimeTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void Ten_thousand_services_of_four_endpoints()
    {
        const int services = 10_000;
        var desired = Services(services, changed: false);
        var options = _ground.Options with { ServiceTableSize = 131072, BackendTableSize = 1048576 };
        using (var dataplane = Measured("open", () => NodeDataplane.Open(options)))
        {
            var result = Measured("first apply", () => dataplane.Services.Apply(desired));
            Assert.True(result.Complete);
            Assert.Equal((services, services, services * 4), (result.SegmentsWritten, result.FrontendsAdded, result.BackendsWritten));
            Assert.Equal(0, Measured("unchanged apply", () => dataplane.Services.Apply(Services(services, changed: false))).KernelWrites);
            Assert.Equal(2, Measured("one endpoint's change",
                () => dataplane.Services.Apply(Services(services, changed: true))).KernelWrites);
            MeasureChanges(dataplane, Services(services, changed: true));
            Assert.Equal(default, Measured("verify", () => dataplane.Services.Verify()));
        }
        using var restarted = Measured("open with restore", () => NodeDataplane.Open(options));
        Assert.Equal(services, restarted.Services.Restored.Segments);
        Assert.Equal(0, Measured("apply after restore", () => restarted.Services.Apply(Services(services, changed: true))).KernelWrites);
    }

    [Fact]
    public void A_full_table_of_connections()
    {
        const int connections = 131_072;
        using var dataplane = NodeDataplane.Open(_ground.Options with { ConntrackTcpMax = 1, ConntrackOtherMax = connections });
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.ConntrackAny));
        var now = (ulong)TimeProvider.System.GetTimestamp();
        var keys = new CtKey[2 * connections];
        var values = new Ct[2 * connections];
        for (var i = 0; i < connections; i++)
        {
            Addr client = Addr.Parse($"10.244.{i % 64}.{i / 64 % 200}"), front = Addr.Parse("10.96.0.1"),
                backend = Addr.Parse($"10.245.{i % 50}.1");
            U16Be sport = U16Be.FromHost((ushort)(1024 + (i / 12800))), dport = U16Be.FromHost(53);
            var common = new Ct { State = CtState.Udp, ServiceId = 1 + (uint)(i % 50), CreatedNs = now,
                LastSeenNs = i % 2 == 0 ? now : now - 100_000_000_000, Packets = 1, Bytes = 100 };
            keys[2 * i] = new CtKey(client, front, sport, dport, IpProtocol.Udp);
            values[2 * i] = common with { Src = client, Dst = backend, Sport = sport, Dport = dport, Flags = CtFlags.Service };
            keys[2 * i + 1] = new CtKey(backend, client, dport, sport, IpProtocol.Udp);
            values[2 * i + 1] = common with { Src = front, Dst = client, Sport = dport, Dport = sport,
                Flags = CtFlags.Service | CtFlags.Reply };
        }
        map.UpdateBatch<CtKey, Ct>(keys, values);
        var sweep = Measured("sweep of 262,144 entries, half of them dead", dataplane.Conntrack.Sweep);
        Console.WriteLine($"figure: {sweep.Entries} entries live, {sweep.Reaped} connections reaped");
        Assert.InRange(sweep.Reaped, connections / 4, connections / 2); // an LRU gives some up before it is full
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        Measured("sweep of what is left", dataplane.Conntrack.Sweep);
        Console.WriteLine($"figure: that sweep allocated {GC.GetAllocatedBytesForCurrentThread() - allocated} bytes");
        Measured("who holds most", () => dataplane.Conntrack.Top(10));
        Assert.True(Measured("purge of one backend", () => dataplane.Conntrack.Purge(
            [new RemovedBackend(1, Addr.Parse("10.245.0.1"), U16Be.FromHost(53), IpProtocol.Udp)])) > 0);
    }

    /// <summary>
    /// One segment after the other gets another backend, all else stays the same object and the change is told of, as a compile has it.
    /// </summary>
    private static void MeasureChanges(NodeDataplane dataplane, DesiredState desired)
    {
        const int changes = 200;
        dataplane.Services.Apply(desired);
        var times = new List<double>(changes);
        var allocated = new List<long>(changes);
        for (var i = 0; i < changes; i++)
        {
            var port = desired.Ports.ElementAt(i * 31).Value;
            var changed = port with { Segments = [.. port.Segments.Select(s => s with { Backends = s.Backends.RemoveAt(0) })] };
            var next = new DesiredState
            {
                Ports = desired.Ports.SetItem(port.Name, changed),
                PortChanges = new(desired.Ports, [port.Name]),
            };
            var bytes = GC.GetAllocatedBytesForCurrentThread();
            var clock = Stopwatch.StartNew();
            var result = dataplane.Services.Apply(next);
            times.Add(clock.Elapsed.TotalMilliseconds);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - bytes);
            Assert.Equal(2, result.KernelWrites);
            desired = next;
        }
        dataplane.Services.Apply(Services(desired.Frontends.Length, changed: true));
        Console.WriteLine($"figure: apply of one change at 10,000 x 4: {Median(times):0.000} ms, {Median(allocated):0} bytes allocated "
            + $"(medians of {changes})");
        var memory = File.ReadLines("/proc/self/status").Where(l => l.StartsWith("Rss", StringComparison.Ordinal))
            .Select(l => string.Join(' ', l.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        Console.WriteLine($"figure: resident with 10,000 x 4: {string.Join(", ", memory)}");
    }

    private static T Median<T>(List<T> values) => values.Order().ElementAt(values.Count / 2);

    private static DesiredState Services(int count, bool changed) => Together([.. Enumerable.Range(1, count).Select(i => Single(
        $"s{i:d5}", (uint)i, $"10.{96 + i / 65536}.{i / 256 % 256}.{i % 256}",
        [.. Enumerable.Range(0, changed && i == 77 ? 5 : 4).Select(b => $"10.{100 + b}.{i / 256}.{i % 256}")]))]);

    private static T Measured<T>(string what, Func<T> work)
    {
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        var result = work();
        Console.WriteLine($"10,000 x 4: {what}: {clock.Elapsed.TotalMilliseconds:0.0} ms, "
            + $"{(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds:0.0} ms of CPU");
        return result;
    }
}
