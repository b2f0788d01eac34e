using System.Buffers.Binary;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Which elements of a segment a flow may keep, against a set in C#.</summary>
public sealed class MembershipTests
{
    private const int Segments = 24;
    private const int Largest = 5000;
    private const int QuestionsEach = 400;
    private const uint Offset = 1000;

    [Fact]
    public void Exactly_the_members_are_found_where_they_are()
    {
        using var programs = new ChoosePrograms();
        var seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var round = 0; round < Segments; round++)
        {
            // the first ones are small: 0, 1, 2, ... elements; each has neighbours that are not its own
            var size = round < Segments / 2 ? round : random.Next(Largest + 1);
            var segment = Sorted(random, size);
            programs.Write(Offset - 1, [.. Sorted(random, 1), .. segment, .. Sorted(random, 1)]);
            // the whole of it, or any run of it
            var from = round % 3 == 0 ? 0 : (uint)random.Next(size + 1);
            var count = round % 3 == 0 ? (uint)size : (uint)random.Next(size + 1 - (int)from);
            var svc = new Svc(Offset, from, 1, SvcFlags.None, 0, count);
            for (var i = 0; i < QuestionsEach; i++)
            {
                var asked = Question(random, segment);
                var at = segment.FindIndex(b => b.Addr == asked.Addr && b.Port == asked.Port);
                var expected = at >= from && at < from + count ? (uint?)at : null;
                // a right hint, one nearby, and garbage
                var hint = (i % 3) switch { 0 => (uint)Math.Max(at, 0), 1 => (uint)(at + random.Next(-2, 3)),
                    _ => (uint)random.NextInt64(1L << 32) };
                Assert.True(
                    expected == programs.Serves(svc, from, count, asked.Addr, asked.Port, hint),
                    $"seed {seed}, {asked} in [{from}, {from}+{count}) of {size}, hint {hint}: expected {expected}");
            }
        }
    }

    [Fact]
    public void A_run_that_is_not_sorted_is_not_searched_rightly()
    {
        // what the search relies on: the detector of the test above would see it fail
        using var programs = new ChoosePrograms();
        var segment = Sorted(new Random(1), 1000);
        segment.Reverse();
        programs.Write(Offset, segment);
        var svc = new Svc(Offset, 1000, 1, SvcFlags.None, 0);
        Assert.InRange(segment.Count(b => programs.Serves(svc, 0, 1000, b.Addr, b.Port, uint.MaxValue) is not null), 0, 10);
    }

    private static Backend Question(Random random, List<Backend> segment)
    {
        if (segment.Count == 0 || random.Next(4) == 0)
            return Any(random);
        var member = segment[random.Next(segment.Count)];
        return random.Next(4) switch
        {
            0 => member with { Port = U16Be.FromHost((ushort)(member.Port.Host + random.Next(-1, 2))) },
            1 => member with { Addr = Flipped(member.Addr, random.Next(128)) },
            _ => member,
        };
    }

    private static Addr Flipped(Addr addr, int bit)
    {
        Span<byte> bytes = stackalloc byte[16];
        addr.CopyTo(bytes);
        bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        return Addr.FromBytes(bytes);
    }

    private static List<Backend> Sorted(Random random, int size)
    {
        var set = new HashSet<Backend>();
        while (set.Count < size)
            set.Add(Any(random));
        return [.. set.OrderBy(b => b.Addr).ThenBy(b => b.Port.Host)];
    }

    // few addresses and few ports, so that many are close to others, in all four words and in the sign of each
    private static Backend Any(Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(bytes, random.Next(3) == 0 ? random.NextInt64() * 2 : 0);
        BinaryPrimitives.WriteInt64BigEndian(bytes[8..],
            random.Next(2) == 0 ? 0xffff0a000000 + random.Next(1 << 24) : random.Next(64) * 0x0400000004000000);
        return new Backend(Addr.FromBytes(bytes), U16Be.FromHost((ushort)(random.Next(4) * 0x5555 + random.Next(3))), BackendFlags.None, 1);
    }
}
