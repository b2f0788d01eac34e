using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class RingBufferTests : PrivilegedTest
{
    private const uint Discarded = 0xdead;

    private readonly List<TestRecord> _seen = [];
    private readonly BpfProgram _program;
    private readonly BpfMap _map;

    public RingBufferTests()
    {
        var hooks = Own(new HooksObject(mode: HooksObject.ModeReport));
        _program = Own(hooks.Program("tc_first"));
        _map = Own(hooks.Map("records"));
    }

    [Fact]
    public void Records_arrive_in_order_over_many_rounds_of_the_ring()
    {
        using var ring = new RingBuffer(_map, record => _seen.Add(MemoryMarshal.Read<TestRecord>(record)));
        for (var mark = 0u; mark < 2000; mark++)
        {
            Run(mark);
            if (mark % 7 == 0)
                ring.Poll(TimeSpan.Zero);
        }
        ring.Poll(TimeSpan.Zero);
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => (uint)i), _seen.Select(record => record.Mark));
        Assert.All(_seen, record => Assert.Equal(60u, record.Length));
    }

    [Fact]
    public void Discarded_records_are_passed_over()
    {
        using var ring = new RingBuffer(_map, record => _seen.Add(MemoryMarshal.Read<TestRecord>(record)));
        Run(1);
        Run(Discarded);
        Run(2);
        Assert.Equal(2, ring.Poll(TimeSpan.FromSeconds(10)));
        Assert.Equal([1u, 2u], _seen.Select(record => record.Mark));
    }

    [Fact]
    public void Nothing_to_read_is_no_error()
    {
        using var ring = new RingBuffer(_map, _ => { });
        Assert.Equal(0, ring.Poll(TimeSpan.Zero));
        Assert.Equal(0, ring.Poll(TimeSpan.FromMilliseconds(1)));
    }

    [Fact]
    public async Task A_waiting_reader_is_woken()
    {
        using var ring = new RingBuffer(_map, record => _seen.Add(MemoryMarshal.Read<TestRecord>(record)));
        var writer = Task.Run(() => Run(5));
        Assert.Equal(1, ring.Poll(Timeout.InfiniteTimeSpan));
        await writer;
    }

    [Fact]
    public void What_the_handler_throws_comes_through_and_the_record_is_gone()
    {
        var fail = true;
        using var ring = new RingBuffer(_map, record =>
        {
            if (fail)
                throw new InvalidDataException("as the test wants");
            _seen.Add(MemoryMarshal.Read<TestRecord>(record));
        });
        Run(1);
        Run(2);
        Assert.Throws<InvalidDataException>(() => ring.Poll(TimeSpan.Zero));
        fail = false;
        Assert.Equal(1, ring.Poll(TimeSpan.Zero));
        Assert.Equal(2u, Assert.Single(_seen).Mark);
    }

    [Fact]
    public void The_reader_outlives_the_map_object()
    {
        using var ring = new RingBuffer(_map, record => _seen.Add(MemoryMarshal.Read<TestRecord>(record)));
        _map.Dispose();
        Run(3);
        Assert.Equal(1, ring.Poll(TimeSpan.Zero));
        Assert.Throws<ArgumentException>(() =>
        {
            using var hash = BpfMap.Create(new("ebc_test", BpfMapType.Hash, 4, 4, 1));
            using var none = new RingBuffer(hash, _ => { });
        });
    }

    private void Run(uint mark) => _program.TestRun(new byte[60], new SkBuffContext { Mark = mark });
}
