using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BpfMapScanTests : PrivilegedTest
{
    [Theory]
    [InlineData(BpfMapType.Hash, true)]
    [InlineData(BpfMapType.Hash, false)]
    [InlineData(BpfMapType.LruHash, true)]
    [InlineData(BpfMapType.LruHash, false)]
    public void Everything_is_shown_once_and_again_in_the_next_walk(BpfMapType type, bool batches)
    {
        var map = Create(type, 4096, batches);
        var keys = Fill(map, 3000);
        var scan = new BpfMapScan<uint, ulong>(map, chunk: 100);
        for (var walk = 0; walk < 2; walk++)
        {
            var seen = new List<uint>();
            scan.Run((k, v) =>
            {
                for (var i = 0; i < k.Length; i++)
                {
                    seen.Add(k[i]);
                    Assert.Equal((ulong)k[i] * 2, v[i]);
                }
            });
            Assert.Equal(keys, seen.Order());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_it_shows_may_be_deleted_meanwhile(bool batches)
    {
        var map = Create(BpfMapType.LruHash, 4096, batches);
        var keys = Fill(map, 2000);
        var seen = new HashSet<uint>();
        new BpfMapScan<uint, ulong>(map, chunk: 64).Run((k, _) =>
        {
            foreach (var key in k)
            {
                seen.Add(key);
                map.Delete(key);
            }
        });
        Assert.Equal(keys, seen.Order());
        Assert.Empty(map.ReadAll<uint, ulong>());
    }

    [Fact]
    public void A_crowded_bucket_makes_the_buffers_grow()
    {
        var map = Create(BpfMapType.Hash, 256, batches: true);
        var keys = Fill(map, 256);
        var seen = new List<uint>();
        new BpfMapScan<uint, ulong>(map, chunk: 1).Run((k, _) => seen.AddRange(k));
        Assert.Equal(keys, seen.Order());
    }

    [Fact]
    public void A_walk_makes_no_garbage()
    {
        var map = Create(BpfMapType.LruHash, 65536, batches: true);
        Fill(map, 50_000);
        var scan = new BpfMapScan<uint, ulong>(map);
        var count = 0;
        scan.Run((k, _) => count += k.Length);
        var before = GC.GetAllocatedBytesForCurrentThread();
        scan.Run((k, _) => count += k.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1024);
        Assert.InRange(count, 90_000, 100_000); // an LRU may give up a few before it is full
    }

    [Fact]
    public void A_program_can_be_run_for_what_it_returns()
    {
        var program = Own(Own(new HooksObject(verdict: 42)).Program("tc_first"));
        Assert.Equal(42u, program.Run(new byte[14]));
        Assert.Equal(42u, program.Run(new byte[2574]));
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => program.Run(new byte[13])).Errno);
    }

    private BpfMap Create(BpfMapType type, uint entries, bool batches)
    {
        var map = Own(BpfMap.Create(new("ebc_scan", type, sizeof(uint), sizeof(ulong), entries)));
        if (!batches)
            map.ForgoBatches();
        return map;
    }

    private static uint[] Fill(BpfMap map, int count)
    {
        var keys = Enumerable.Range(0, count).Select(i => (uint)i).ToArray();
        map.UpdateBatch<uint, ulong>(keys, [.. keys.Select(k => (ulong)k * 2)]);
        return keys;
    }
}
