using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Tables;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>
/// What a change costs between the watch and the kernel: compile and apply, one change after the other, into real tables that no program
/// uses.
/// </summary>
internal static class ChangeScenario
{
    public const int Services = 10_000, Present = 30_000, Lone = 200, LargeService = 10_000, LargeChanges = 200;
    private const int Endpoints = 4;

    public static void Run(Report report)
    {
        var figures = new List<Figure>();
        foreach (var present in new[] { 0, Present })
        {
            using var node = new ChangingNode();
            figures.Add(node.Measure(
                $"{present:N0} Services × {Endpoints} present, first compile and apply", 1,
                _ => node.Apply(ChangingNode.With(0, present)), ""));
            figures.Add(node.Measure($"{Services:N0} created one by one, beside {present:N0} ({2 * Services:N0} changes)", Services, i =>
            {
                node.PutService(present + i);
                node.PutSlice(present + i, Endpoints);
            }, "≤ 8 s"));
            figures.Add(node.Measure(
                $"one endpoint changes, at {present + Services:N0} Services", Lone, i => node.PutSlice(i * 47, Endpoints - 1),
                "≤ 3 ms and ≤ 2 writes a change"));
            if (present > 0)
                figures.Add(node.Measure(
                    $"one endpoint of {LargeService:N0} is replaced, at {present + Services:N0} Services", LargeChanges,
                    i => node.PutLarge(i, LargeService), "20 a second"));
            figures.Add(node.Measure(
                $"{Services:N0} deleted one by one, beside {present:N0} ({2 * Services:N0} changes)", Services,
                i => node.Remove(present + i), "≤ 4 s"));
        }
        report.Add(new Section(
            "What a change costs between the watch and the kernel",
            "In one process: a changed object in the snapshot, its compile, its apply to tables in the kernel; each object by itself, "
            + "without the watch's decoding and without bounds on how often. "
            + "CPU time is the process's, collections of garbage included.",
            figures));
    }

    /// <summary>A cluster, its compile and its tables.</summary>
    private sealed class ChangingNode : IDisposable
    {
        private readonly List<IDisposable> _owned = [];
        private readonly IncrementalCompiler _compiler = new();
        private readonly NodeContext _context = new("node-0") { NodePortAddresses = [Addr.Parse("192.168.0.1")] };
        private readonly ServiceDataplane _tables;
        private ClusterSnapshot _cluster = ClusterSnapshot.Empty;
        private DesiredState _state = DesiredState.Empty;
        private int _writes;

        public ChangingNode()
        {
            var backends = Own(
                Map(MapNames.Backend, BpfMapType.Array, sizeof(uint), 24, 1 << 20, BpfMapFlags.MemoryMappable).MapWindows<Backend>());
            var readers = Own(BpfGracePeriod.Create());
            _tables = new ServiceDataplane(
                new ServiceTables(
                    new KernelTable<SvcKey, Svc>(Map(MapNames.Service, BpfMapType.Hash, 20, 24, 1 << 18, BpfMapFlags.NoPreallocation)),
                    new KernelBackendArray(backends),
                    new KernelTable<SrangeKey, Srange>(
                        Map(MapNames.SourceRange, BpfMapType.LpmTrie, 24, 4, 1024, BpfMapFlags.NoPreallocation)))
                {
                    WaitForReaders = () =>
                    {
                        readers.Wait();
                        return true;
                    },
                },
                TimeSpan.FromSeconds(10), TimeProvider.System);
        }

        public Figure Measure(string what, int times, Action<int> change, string bar)
        {
            var (cpu, clock, writes) = (Environment.CpuUsage.TotalTime, Stopwatch.StartNew(), _writes);
            var (allocated, gen2) = (GC.GetTotalAllocatedBytes(), GC.CollectionCount(2));
            for (var i = 0; i < times; i++)
                change(i);
            var used = Environment.CpuUsage.TotalTime - cpu;
            allocated = GC.GetTotalAllocatedBytes() - allocated;
            return new Figure(what, string.Create(CultureInfo.InvariantCulture,
                $"{used.TotalSeconds:0.00} s of CPU ({used.TotalMilliseconds / times:0.000} ms each), "
                + $"{clock.Elapsed.TotalSeconds:0.00} s elapsed, "
                + $"{(_writes - writes) / (double)times:0.0} writes and {allocated / 1024.0 / times:0.0} KiB each, "
                + $"{GC.CollectionCount(2) - gen2} full collections"), bar);
        }

        public static ClusterSnapshot With(int first, int count)
        {
            var services = Enumerable.Range(first, count).Select(Service).ToImmutableSortedDictionary(s => s.Name, s => s);
            var slices = Enumerable.Range(first, count).Select(i => Slice(i, Endpoints)).ToImmutableSortedDictionary(s => s.Name, s => s);
            return new ClusterSnapshot { Services = services, EndpointSlices = slices };
        }

        public void PutService(int i)
        {
            var service = Service(i);
            Apply(_cluster with
            {
                Services = _cluster.Services.SetItem(service.Name, service),
                ServiceChanges = new(_cluster.Services, [service.Name]), SliceChanges = new(_cluster.EndpointSlices, []),
            });
        }

        public void PutSlice(int i, int endpoints) => Put(Slice(i, endpoints));

        /// <summary>A service of many slices of a hundred endpoints, one of which changes an address.</summary>
        public void PutLarge(int round, int endpoints)
        {
            if (round == 0)
                for (var at = 0; at < endpoints / 100; at++)
                    Put(Large(at, 0));
            Put(Large(round % (endpoints / 100), 1 + round / (endpoints / 100)));
        }

        public void Remove(int i)
        {
            var (service, slice) = (Service(i).Name, Slice(i, 0).Name);
            Apply(_cluster with
            {
                EndpointSlices = _cluster.EndpointSlices.Remove(slice),
                ServiceChanges = new(_cluster.Services, []), SliceChanges = new(_cluster.EndpointSlices, [slice]),
            });
            Apply(_cluster with
            {
                Services = _cluster.Services.Remove(service),
                ServiceChanges = new(_cluster.Services, [service]), SliceChanges = new(_cluster.EndpointSlices, []),
            });
        }

        public void Apply(ClusterSnapshot cluster)
        {
            _state = _compiler.Compile(_cluster = cluster, _context, _state.Ids);
            var result = _tables.Apply(_state);
            if (!result.Complete)
                throw new InvalidOperationException(
                    $"not applied: {string.Join(", ", result.Errors)} {string.Join(", ", result.Refusals)} "
                    + $"{string.Join(", ", result.Waiting)}");
            _writes += result.KernelWrites;
        }

        public void Dispose()
        {
            for (var i = _owned.Count - 1; i >= 0; i--)
                _owned[i].Dispose();
        }

        private void Put(EndpointSliceSnapshot slice) => Apply(_cluster with
        {
            EndpointSlices = _cluster.EndpointSlices.SetItem(slice.Name, slice),
            ServiceChanges = new(_cluster.Services, []), SliceChanges = new(_cluster.EndpointSlices, [slice.Name]),
        });

        private BpfMap Map(string name, BpfMapType type, int key, int value, uint entries, BpfMapFlags flags) =>
            Own(BpfMap.Create(new BpfMapSpec(name, type, key, value, entries, flags)));

        private T Own<T>(T one) where T : IDisposable
        {
            _owned.Add(one);
            return one;
        }

        private static ServiceSnapshot Service(int i) => new()
        {
            Name = new ObjectName($"ns-{i % 50}", $"service-{i}"), Uid = $"uid-{i}",
            ClusterIPs = [$"10.{96 + i / 62_500}.{i / 250 % 250}.{i % 250 + 1}"], Ports = [new("http", "TCP", 80)],
        };

        private static EndpointSliceSnapshot Slice(int i, int endpoints) => new()
        {
            Name = new ObjectName($"ns-{i % 50}", $"service-{i}-x7k2p"), ServiceName = $"service-{i}", Ports = [new("http", "TCP", 8080)],
            Endpoints =
            [
                .. Enumerable.Range(0, endpoints).Select(e => Endpoint(
                    $"10.{128 + (i * Endpoints + e) / 65_536 % 64}.{(i * Endpoints + e) / 256 % 256}.{(i * Endpoints + e) % 256}", e)),
            ],
        };

        private static EndpointSliceSnapshot Large(int at, int round) => new()
        {
            Name = new ObjectName("ns-0", $"service-0-{at:000}"), ServiceName = "service-0", Ports = [new("http", "TCP", 8080)],
            Endpoints = [.. Enumerable.Range(0, 100).Select(e => Endpoint($"10.{(e == 0 ? 200 + round % 50 : 199)}.{at % 256}.{e}", e))],
        };

        private static EndpointSnapshot Endpoint(string address, int at) => new([address], true, true, false, $"node-{at % 2}");
    }
}
