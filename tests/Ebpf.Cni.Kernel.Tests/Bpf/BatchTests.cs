using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

/// <summary>Each with the kernel's batches and with the fallback: nobody may notice a difference.</summary>
public sealed class BatchTests : PrivilegedTest
{
    public static MatrixTheoryData<BpfMapType, bool> Kinds { get; } =
        new([BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.Array, BpfMapType.LpmTrie], [true, false]);

    private BpfMap Create(BpfMapType type, int entries, bool batches)
    {
        var flags = type == BpfMapType.LpmTrie ? BpfMapFlags.NoPreallocation : BpfMapFlags.None;
        var keySize = type == BpfMapType.LpmTrie ? 8 : 4;
        var map = Own(BpfMap.Create(new("ebc_batch", type, keySize, sizeof(ulong), (uint)entries, flags)));
        if (!batches)
            map.ForgoBatches();
        return map;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void All_pairs_written_are_read(BpfMapType type, bool batches)
    {
        const int count = 10_000;
        // LRU lists are per CPU: leave room, so that nothing is evicted
        var map = Create(type, type == BpfMapType.LruHash ? 4 * count : count, batches);
        var values = Enumerable.Range(0, count).Select(i => (ulong)i * 3).ToArray();
        if (type == BpfMapType.LpmTrie)
        {
            // 32-bit prefix length, then the address: numbers as host routes
            var keys = Enumerable.Range(0, count).Select(i => ((ulong)i << 32) | 32).ToArray();
            Assert.Equal(count, map.UpdateBatch<ulong, ulong>(keys, values));
            Assert.Equal(keys.Zip(values), Sorted(map.ReadAll<ulong, ulong>()));
        }
        else
        {
            var keys = Enumerable.Range(0, count).Select(i => (uint)i).ToArray();
            Assert.Equal(count, map.UpdateBatch<uint, ulong>(keys, values));
            Assert.Equal(keys.Zip(values), Sorted(map.ReadAll<uint, ulong>()));
        }
        Assert.Equal(batches, map.BatchesWork);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_empty_map_reads_as_nothing(bool batches) => Assert.Empty(Create(BpfMapType.Hash, 4, batches).ReadAll<uint, ulong>());

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_batch_that_is_refused_as_a_whole_has_written_nothing(bool batches)
    {
        var map = Own(BpfMap.Create(new("ebc_batch", BpfMapType.Hash, 4, sizeof(ulong), 8, BpfMapFlags.ReadOnly)));
        if (!batches)
            map.ForgoBatches();
        var error = Assert.Throws<KernelException>(() => map.UpdateBatch<uint, ulong>([1, 2, 3], [1, 2, 3]));
        Assert.Equal((Errno.EPERM, 0), (error.Errno, error.Written));
        error = Assert.Throws<KernelException>(() => map.DeleteBatch<uint>([1, 2, 3]));
        Assert.Equal((Errno.EPERM, 0), (error.Errno, error.Written));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_map_that_fills_up_tells_how_many_are_in(bool batches)
    {
        var map = Create(BpfMapType.Hash, 3, batches);
        var error = Assert.Throws<KernelException>(() => map.UpdateBatch<uint, ulong>([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]));
        Assert.Equal(Errno.E2BIG, error.Errno);
        Assert.Equal(3, error.Written);
        Assert.Equal([1u, 2u, 3u], map.ReadAll<uint, ulong>().Select(pair => pair.Key).Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Absent_keys_do_not_stop_a_deletion(bool batches)
    {
        var map = Create(BpfMapType.Hash, 8, batches);
        map.UpdateBatch<uint, ulong>([1, 2, 3, 4], [1, 2, 3, 4]);
        Assert.Equal(3, map.DeleteBatch<uint>([9, 1, 8, 8, 2, 4, 7]));
        Assert.Equal(3u, Assert.Single(map.ReadAll<uint, ulong>()).Key);
        Assert.Equal(0, map.DeleteBatch<uint>([]));
    }

    [Fact]
    public void Crowded_buckets_are_read()
    {
        var map = Create(BpfMapType.Hash, 256, batches: true);
        map.ReadChunk = 1; // of 256 keys in as many buckets some certainly share one
        var keys = Enumerable.Range(0, 256).Select(i => (uint)i).ToArray();
        map.UpdateBatch<uint, ulong>(keys, new ulong[256]);
        Assert.Equal(keys, map.ReadAll<uint, ulong>().Select(pair => pair.Key).Order());
        Assert.True(map.BatchesWork);
    }

    private static IEnumerable<(TKey, ulong)> Sorted<TKey>(List<KeyValuePair<TKey, ulong>> pairs) where TKey : IComparable<TKey> =>
        pairs.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value));
}
