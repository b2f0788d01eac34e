using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

public sealed class AddressPoolTests
{
    private static readonly DateTimeOffset Start = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    [Fact]
    public void Without_a_range_there_is_nothing_to_give()
    {
        var pool = Pool();
        Assert.Equal(AllocationStatus.NoRange, pool.Allocate(Start).Status);
        Assert.Equal(AddRangeStatus.WrongFamily, pool.AddRange(PodCidr.Parse("fd00::/64")));
        Assert.Equal(AddRangeStatus.Added, pool.AddRange(PodCidr.Parse("10.244.0.0/24")));
        Assert.Equal(AddRangeStatus.AlreadyThere, pool.AddRange(PodCidr.Parse("10.244.0.0/24")));
        Assert.Equal(AddRangeStatus.Overlaps, pool.AddRange(PodCidr.Parse("10.244.0.0/16")));
        Assert.Equal("10.244.0.2", pool.Allocate(Start).Address.ToString());
    }

    [Theory]
    [InlineData("10.0.0.0/24", 253, "10.0.0.2", "10.0.0.254")]
    [InlineData("10.0.0.0/30", 1, "10.0.0.2", "10.0.0.2")]
    [InlineData("10.0.0.0/31", 2, "10.0.0.0", "10.0.0.1")]
    [InlineData("10.0.0.7/32", 1, "10.0.0.7", "10.0.0.7")]
    [InlineData("fd00::/120", 254, "fd00::2", "fd00::ff")]
    [InlineData("fd00::/127", 2, "fd00::", "fd00::1")]
    public void A_range_gives_what_it_has_and_then_says_so(string range, int count, string first, string last)
    {
        var cidr = PodCidr.Parse(range);
        var pool = AddressPool.Restore(cidr.Family, Rest, [cidr], []);
        Assert.Equal((UInt128)count, pool.Capacity);
        var given = Enumerable.Range(0, count).Select(_ => pool.Allocate(Start)).ToList();
        Assert.All(given, a => Assert.Equal(AllocationStatus.Allocated, a.Status));
        Assert.Equal((first, last), (given[0].Address.ToString(), given[^1].Address.ToString()));
        Assert.Equal(new Allocation(AllocationStatus.Exhausted, default, null), pool.Allocate(Start));
    }

    [Fact]
    public void A_released_address_rests()
    {
        var pool = Pool("10.0.0.0/30");
        var address = pool.Allocate(Start).Address;
        Assert.True(pool.Release(address, Start));
        Assert.False(pool.Release(address, Start));
        Assert.Equal(new Allocation(AllocationStatus.Exhausted, default, Start + Rest),
            pool.Allocate(Start + Rest - TimeSpan.FromTicks(1)));
        Assert.Equal(ReserveStatus.Resting, pool.Reserve(address, Start));
        Assert.Equal(address, pool.Allocate(Start + Rest).Address);
    }

    [Fact]
    public void The_round_goes_on_after_the_last_one_also_after_a_restart()
    {
        var pool = Pool("10.0.0.0/29");
        var given = Enumerable.Range(0, 3).Select(_ => pool.Allocate(Start).Address).ToList();
        pool.Release(given[1], Start);
        var later = Start + Rest;
        Assert.Equal("10.0.0.5", pool.Allocate(later).Address.ToString());
        var again = AddressPool.Restore(pool.Family, Rest, pool.Ranges, pool.InUse, pool.Resting(later), Addr.Parse("10.0.0.5"));
        Assert.Equal("10.0.0.6", again.Allocate(later).Address.ToString());
        Assert.Equal("10.0.0.3", again.Allocate(later).Address.ToString());
    }

    [Fact]
    public void A_restart_forgets_no_rest_and_no_allocation()
    {
        var pool = Pool("10.0.0.0/29");
        var (a, b) = (pool.Allocate(Start).Address, pool.Allocate(Start).Address);
        pool.Release(a, Start);
        var again = AddressPool.Restore(pool.Family, Rest, pool.Ranges, pool.InUse, pool.Resting(Start));
        Assert.Equal(ReserveStatus.Resting, again.Reserve(a, Start));
        Assert.Equal(ReserveStatus.InUse, again.Reserve(b, Start));
        // an allocation whose range is gone stays until it is released
        var moved = AddressPool.Restore(pool.Family, Rest, [PodCidr.Parse("10.9.0.0/24")], pool.InUse);
        Assert.True(moved.IsInUse(b));
        Assert.True(moved.Release(b, Start));
        Assert.Equal(ReserveStatus.OutOfRange, moved.Reserve(b, Start + Rest));
    }

    [Fact]
    public void Certain_addresses_can_be_reserved()
    {
        var pool = Pool("10.0.0.0/29");
        Assert.Equal(ReserveStatus.Reserved, pool.Reserve(Addr.Parse("10.0.0.2"), Start));
        Assert.Equal(ReserveStatus.InUse, pool.Reserve(Addr.Parse("10.0.0.2"), Start));
        Assert.Equal(ReserveStatus.OutOfRange, pool.Reserve(Addr.Parse("10.0.1.2"), Start));
        Assert.Equal(ReserveStatus.OutOfRange, pool.Reserve(Addr.Parse("fd00::2"), Start));
        foreach (var forbidden in new[] { "10.0.0.0", "10.0.0.1", "10.0.0.7" })
            Assert.Equal(ReserveStatus.Forbidden, pool.Reserve(Addr.Parse(forbidden), Start));
        Assert.Equal("10.0.0.3", pool.Allocate(Start).Address.ToString());
    }

    [Fact]
    public void Huge_ranges_are_fine()
    {
        var pool = AddressPool.Restore(AddressFamily.InterNetworkV6, Rest, [PodCidr.Parse("fd00::/48"), PodCidr.Parse("fc00::/8")], []);
        Assert.Equal("fd00::2", pool.Allocate(Start).Address.ToString());
        Assert.Equal("fd00::3", pool.Allocate(Start).Address.ToString());
    }

    [Fact]
    public void A_clock_that_is_set_back_makes_no_rest_longer()
    {
        var pool = Pool("10.0.0.0/30");
        var address = pool.Allocate(Start).Address;
        pool.Release(address, Start);
        var back = Start.AddYears(-1);
        Assert.Equal(new Allocation(AllocationStatus.Exhausted, default, back + Rest), pool.Allocate(back));
        Assert.Equal(address, pool.Allocate(back + Rest).Address);
    }

    [Fact]
    public void What_nobody_saw_need_not_rest()
    {
        var pool = Pool("10.0.0.0/30");
        var address = pool.Allocate(Start).Address;
        pool.Forget(address);
        Assert.Equal(address, pool.Allocate(Start).Address);
    }

    [Fact]
    public void Counts_are_of_the_ranges_there_are()
    {
        var pool = AddressPool.Restore(
            AddressFamily.InterNetwork, Rest, [PodCidr.Parse("10.0.0.0/29")], [Addr.Parse("10.0.0.2"), Addr.Parse("10.9.0.2")],
            [new RestingAddress(Addr.Parse("10.0.0.3"), Start + Rest), new RestingAddress(Addr.Parse("10.9.0.3"), Start + Rest)]);
        Assert.Equal((1, 1), pool.Count(Start));
        Assert.Equal((1, 0), pool.Count(Start + Rest));
    }

    /// <summary>
    /// Not measured by a clock: as many steps as there are pods would take for ever if each looked at the range, or at all that rest.
    /// </summary>
    [Theory]
    [InlineData("fd00::/8")]
    [InlineData("10.0.0.0/8")]
    public void Two_hundred_thousand_addresses_are_given_and_rest_in_a_range_of_any_size(string range)
    {
        var cidr = PodCidr.Parse(range);
        var pool = AddressPool.Restore(cidr.Family, TimeSpan.FromDays(1), [cidr], []);
        for (var i = 0; i < 200_000; i++)
        {
            var given = pool.Allocate(Start + TimeSpan.FromMilliseconds(i));
            Assert.True(given.Status == AllocationStatus.Allocated && cidr.Contains(given.Address));
            pool.Release(given.Address, Start + TimeSpan.FromMilliseconds(i));
        }
        Assert.Equal((0, 200_000), pool.Count(Start + TimeSpan.FromMinutes(5)));
    }

    /// <summary>The model is a plain list of all usable addresses, searched from the start.</summary>
    [Fact]
    public void It_agrees_with_a_naive_model()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 40; round++)
            RunAgainstModel(random);
    }

    private static void RunAgainstModel(Random random)
    {
        var pool = Pool("10.0.0.0/28");
        var usable = Enumerable.Range(2, 13).Select(i => Addr.Parse($"10.0.0.{i}")).ToList();
        var inUse = new HashSet<Addr>();
        var resting = new Dictionary<Addr, DateTimeOffset>();
        var (now, cursor) = (Start, 0);
        for (var step = 0; step < 300; step++)
        {
            now += TimeSpan.FromSeconds(random.Next(8));
            if (step == 150)
            {
                Assert.Equal(AddRangeStatus.Added, pool.AddRange(PodCidr.Parse("10.0.1.0/30")));
                usable.Add(Addr.Parse("10.0.1.2"));
            }
            if (random.Next(3) == 0 && inUse.Count > 0)
            {
                var released = inUse.ElementAt(random.Next(inUse.Count));
                Assert.True(pool.Release(released, now));
                inUse.Remove(released);
                resting[released] = now + Rest;
                continue;
            }
            var given = pool.Allocate(now);
            var order = Enumerable.Range(0, usable.Count).Select(i => (cursor + i) % usable.Count);
            var expected = order.Cast<int?>().FirstOrDefault(i => IsFree(usable[i!.Value]));
            Assert.Equal(expected is null ? AllocationStatus.Exhausted : AllocationStatus.Allocated, given.Status);
            if (expected is not { } at)
                continue;
            Assert.Equal(usable[at], given.Address);
            Assert.True(inUse.Add(given.Address), "given out twice");
            cursor = (at + 1) % usable.Count;
        }
        Assert.Equal(inUse, pool.InUse.ToHashSet());

        bool IsFree(Addr address) => !inUse.Contains(address) && (!resting.TryGetValue(address, out var until) || until <= now);
    }

    private static AddressPool Pool(params string[] ranges) =>
        AddressPool.Restore(AddressFamily.InterNetwork, Rest, ranges.Select(PodCidr.Parse), []);
}
