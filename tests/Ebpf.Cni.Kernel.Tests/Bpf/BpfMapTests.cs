using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BpfMapTests : PrivilegedTest
{
    private BpfMap Hash(uint entries = 16) => Own(BpfMap.Create(new("ebc_test", BpfMapType.Hash, sizeof(uint), sizeof(ulong), entries)));

    [Fact]
    public void An_element_is_written_read_and_deleted()
    {
        var map = Hash();
        Assert.False(map.TryLookup<uint, ulong>(7, out _));
        map.Update(7u, 70ul);
        map.Update(7u, 71ul);
        Assert.True(map.TryLookup<uint, ulong>(7, out var value));
        Assert.Equal(71ul, value);
        Assert.True(map.Delete(7u));
        Assert.False(map.Delete(7u));
        Assert.False(map.TryLookup<uint, ulong>(7, out _));
    }

    [Fact]
    public void Update_modes_insist_on_a_new_or_an_existing_key()
    {
        var map = Hash();
        Assert.Equal("ENOENT", Assert.Throws<KernelException>(() => map.Update(1u, 1ul, BpfUpdateMode.Replace)).ErrnoName);
        map.Update(1u, 1ul, BpfUpdateMode.Add);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => map.Update(1u, 2ul, BpfUpdateMode.Add)).Errno);
    }

    [Fact]
    public void Adding_leaves_an_element_that_is_there()
    {
        var map = Hash(entries: 1);
        Assert.True(map.TryAdd(1u, 1ul));
        Assert.False(map.TryAdd(1u, 2ul));
        Assert.True(map.TryLookup<uint, ulong>(1, out var value));
        Assert.Equal(1ul, value);
        Assert.Equal(Errno.E2BIG, Assert.Throws<KernelException>(() => map.TryAdd(2u, 2ul)).Errno);
    }

    [Fact]
    public void The_kernel_tells_what_it_charges()
    {
        const int page = 4096;
        using var array = BpfMap.Create(new("ebc_test", BpfMapType.Array, sizeof(uint), sizeof(ulong), 1024));
        Assert.InRange(array.ReadMemory(), 1024 * sizeof(ulong), (1024 * sizeof(ulong)) + page);
        Assert.True(Hash(1 << 16).ReadMemory() > 64 * Hash(1 << 8).ReadMemory());
    }

    [Fact]
    public void A_full_map_says_so_and_names_itself()
    {
        var map = Hash(entries: 2);
        map.Update(1u, 1ul);
        map.Update(2u, 2ul);
        var error = Assert.Throws<KernelException>(() => map.Update(3u, 3ul));
        Assert.Equal(Errno.E2BIG, error.Errno);
        Assert.Contains("ebc_test", error.Message, StringComparison.Ordinal);
        Assert.Contains("full at 2 entries", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_of_another_size_never_reaches_the_kernel()
    {
        var map = Hash();
        Assert.Throws<ArgumentException>(() => map.Update((ushort)1, 1ul));
        Assert.Throws<ArgumentException>(() => map.Update(1u, 1u));
        Assert.Throws<ArgumentException>(() => map.TryLookup<uint, uint>(1, out _));
        Assert.Throws<ArgumentException>(() => map.Delete(1ul));
        Assert.Throws<ArgumentException>(() => map.ReadAll<uint, byte>());
        Assert.Throws<ArgumentException>(() => map.UpdateBatch<uint, ulong>([1, 2], [1]));
    }

    [Fact]
    public void Information_is_the_kernels()
    {
        var map = Hash();
        Assert.NotEqual(0u, map.Info.Id);
        Assert.Equal(new BpfMapInfo(map.Info.Id, "ebc_test", BpfMapType.Hash, 4, 8, 16, BpfMapFlags.None), map.Info);
    }

    [Fact]
    public void A_map_that_cannot_be_made_is_named()
    {
        var error = Assert.Throws<KernelException>(() => BpfMap.Create(new("ebc_odd", BpfMapType.RingBuffer, 0, 0, 4095)));
        Assert.Equal(Errno.EINVAL, error.Errno);
        Assert.Contains("ebc_odd", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_map_is_not_used()
    {
        var map = BpfMap.Create(new("ebc_test", BpfMapType.Hash, 4, 8, 1));
        map.Dispose();
        Assert.Throws<ObjectDisposedException>(() => map.Delete(1u));
    }

    [Fact]
    public void A_pinned_map_is_adopted_with_its_contents()
    {
        var pins = Own(new PinDirectory());
        Assert.False(BpfMap.TryOpenPinned(pins["m"], out _));
        using (var map = BpfMap.Create(new("ebc_test", BpfMapType.Hash, 4, 8, 16)))
        {
            map.Update(1u, 11ul);
            map.Pin(pins["m"]);
            Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => map.Pin(pins["m"])).Errno);
        }
        Assert.True(BpfMap.TryOpenPinned(pins["m"], out var adopted));
        Own(adopted);
        Assert.True(adopted.TryLookup<uint, ulong>(1, out var value));
        Assert.Equal(11ul, value);
    }

    [Fact]
    public void A_pin_of_another_kind_is_refused()
    {
        var pins = Own(new PinDirectory());
        var program = Own(BpfProgram.Load("ebc_nothing", BpfProgramType.TrafficClassifier,
            [BpfInstruction.Move(0, 0), BpfInstruction.Exit]));
        program.Pin(pins["p"]);
        var error = Assert.Throws<KernelException>(() => BpfMap.OpenPinned(pins["p"]));
        Assert.Contains("expected a bpf-map, found a bpf-prog", error.Message, StringComparison.Ordinal);
        Own(BpfProgram.OpenPinned(pins["p"]));
    }

    [Fact]
    public void Pinning_outside_a_bpffs_explains_itself()
    {
        var error = Assert.Throws<KernelException>(() => Hash().Pin("/tmp/ebc-kernel-tests-no-bpffs"));
        Assert.Contains("bpffs", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_cpu_has_a_value()
    {
        var map = Own(BpfMap.Create(new("ebc_percpu", BpfMapType.PerCpuHash, sizeof(uint), 12, 4)));
        var values = Enumerable.Range(1, BpfMap.PossibleCpus).Select(i => new Twelve((uint)i, (uint)i * 2, (uint)i * 3)).ToArray();
        var read = new Twelve[values.Length];
        Assert.False(map.TryLookupPerCpu<uint, Twelve>(1, read));
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => map.LookupPerCpu<uint, Twelve>(1, read)).Errno);
        map.UpdatePerCpu<uint, Twelve>(1, values);
        map.LookupPerCpu<uint, Twelve>(1, read);
        Assert.Equal(values, read);
        Assert.Throws<InvalidOperationException>(() => map.TryLookup<uint, Twelve>(1, out _));
        Assert.Throws<ArgumentException>(() => map.LookupPerCpu<uint, Twelve>(1, new Twelve[values.Length + 1]));
    }

    [Theory]
    [InlineData("0\n", 1)]
    [InlineData("0-3\n", 4)]
    [InlineData("0-3,8,10-11\n", 7)]
    public void Cpu_lists_are_counted(string list, int count) => Assert.Equal(count, BpfMap.CountCpus(list));

    [Fact]
    public void An_array_is_memory()
    {
        var map = Own(BpfMap.Create(new("ebc_array", BpfMapType.Array, sizeof(uint), 24, 1000, BpfMapFlags.MemoryMappable)));
        using (var memory = map.MapArray<Backend>())
        {
            Assert.Equal(1000, memory.Length);
            memory.Span[999] = new Backend(1, 2, 3);
            Assert.True(map.TryLookup<uint, Backend>(999, out var seen));
            Assert.Equal(new Backend(1, 2, 3), seen);
            map.Update(5u, new Backend(5, 6, 7));
            Assert.Equal(new Backend(5, 6, 7), memory.Span[5]);
            memory.Dispose();
            Assert.Throws<ObjectDisposedException>(() => memory.Span[0]);
        }
    }

    [Fact]
    public void A_large_array_is_mapped_where_it_is_touched()
    {
        const int length = 300_001, edge = 65536;
        var map = Own(BpfMap.Create(new("ebc_array", BpfMapType.Array, sizeof(uint), 24, length, BpfMapFlags.MemoryMappable)));
        using var memory = map.MapWindows<Backend>();
        Assert.Equal((length, 0), (memory.Length, memory.Mapped));
        var written = Enumerable.Range(0, 100).Select(i => new Backend((ulong)i, 7, 8)).ToArray();
        memory.Write(edge - 50, written);
        Assert.Equal(2, memory.Mapped);
        for (var i = 0; i < written.Length; i++)
        {
            Assert.True(map.TryLookup((uint)(edge - 50 + i), out Backend seen));
            Assert.Equal(written[i], seen);
        }
        map.Update((uint)length - 1, new Backend(5, 6, 7));
        var last = new Backend[1];
        memory.Read(length - 1, last);
        Assert.Equal(new Backend(5, 6, 7), last[0]);
        var whole = new Backend[length];
        memory.Read(0, whole);
        Assert.Equal(written, whole[(edge - 50)..(edge + 50)]);
        Assert.Equal(last[0], whole[^1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Read(length, new Backend[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Write(-1, [default]));
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.Read(0, new Backend[1]));
    }

    [Fact]
    public void Only_arrays_made_for_it_are_mapped()
    {
        var plain = Own(BpfMap.Create(new("ebc_array", BpfMapType.Array, sizeof(uint), 8, 4)));
        Assert.Throws<KernelException>(() => plain.MapArray<ulong>());
        Assert.Throws<KernelException>(() => plain.MapWindows<ulong>().Read(0, new ulong[1]));
        var gaps = Own(BpfMap.Create(new("ebc_array", BpfMapType.Array, sizeof(uint), 12, 4, BpfMapFlags.MemoryMappable)));
        Assert.Throws<ArgumentException>(() => gaps.MapArray<Twelve>());
    }

    private readonly record struct Twelve(uint A, uint B, uint C);

    private readonly record struct Backend(ulong A, ulong B, ulong C);
}
