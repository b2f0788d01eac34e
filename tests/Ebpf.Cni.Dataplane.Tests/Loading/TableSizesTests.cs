using Ebpf.Cni.Dataplane.Options;

namespace Ebpf.Cni.Dataplane.Tests.Loading;

/// <summary>Sizes for a node's memory; what they cost is measured by <see cref="TableMemoryTests"/>.</summary>
public sealed class TableSizesTests
{
    private const long MiB = 1L << 20, GiB = 1L << 30;

    [Fact]
    public void A_node_of_four_gibibytes_has_the_sizes_that_the_page_explains()
    {
        var sizes = TableSizes.For(4 * GiB);
        Assert.Equal((65536u, 32768u, 16384u), (sizes.ConntrackTcp, sizes.ConntrackOther, sizes.SocketFlows));
        Assert.Equal((262144u, 262144u), (sizes.Services, sizes.Backends));
    }

    [Fact]
    public void Four_times_the_memory_is_twice_the_size_up_to_a_limit()
    {
        long[] memories = [4, 16, 64, 256];
        Assert.Equal([65536u, 131072, 262144, 524288], memories.Select(m => TableSizes.For(m * GiB).ConntrackTcp));
        // The programs' own limit
        Assert.Equal([262144u, 524288, 1048576, 1048576], memories.Select(m => TableSizes.For(m * GiB).Backends));
        Assert.Equal(98304u, TableSizes.For(8 * GiB).ConntrackTcp);
        Assert.Equal(TableSizes.For(256 * GiB), TableSizes.For(6144 * GiB));
        Assert.Equal(TableSizes.For(GiB), TableSizes.For(256 * MiB));
        Assert.Equal(TableSizes.For(GiB), TableSizes.For(0));
    }

    /// <summary>MemTotal of machines that are sold as 4, 16 and 64 GiB; what a crash kernel takes away changes nothing.</summary>
    [Theory]
    [InlineData(3_905_000, 4)]
    [InlineData(3_600_000, 4)]
    [InlineData(15_989_000, 16)]
    [InlineData(64_300_000, 64)]
    public void What_a_kernel_keeps_for_itself_still_counts(long kibibytes, long gibibytes) =>
        Assert.Equal(TableSizes.For(gibibytes * GiB), TableSizes.For(kibibytes * 1024));

    [Fact]
    public void More_memory_never_means_a_smaller_table()
    {
        var before = TableSizes.For(0);
        for (var memory = 0L; memory < 300 * GiB; memory += 128 * MiB)
        {
            var sizes = TableSizes.For(memory);
            Assert.All(Values(before).Zip(Values(sizes)), pair => Assert.True(pair.First <= pair.Second));
            before = sizes;
        }
    }

    /// <summary>A cluster does not get smaller because one of its nodes is small: an address and a port each, in both families.</summary>
    [Fact]
    public void The_smallest_node_serves_thirty_thousand_services_of_four_endpoints()
    {
        const uint services = 30_000, families = 2;
        var sizes = TableSizes.For(GiB);
        Assert.True(services * families * 2 <= sizes.Services);
        Assert.True(services * families * 4 <= sizes.Backends);
    }

    private static IEnumerable<uint> Values(TableSizes sizes) =>
        typeof(TableSizes).GetProperties().Where(p => p.PropertyType == typeof(uint)).Select(p => (uint)p.GetValue(sizes)!);
}
