using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Cluster;

public class IpcacheTableTests
{
    private readonly FakeTable<IpcacheKey, Ipcache> _kernel = new(16);

    [Fact]
    public void Prefixes_of_both_families_are_written_as_the_trie_has_them()
    {
        var result = new IpcacheTable(_kernel).Apply(
            [Prefix("10.244.0.0/16", IpcacheFlags.Pod), Prefix("fd00::/48", IpcacheFlags.Pod), Prefix("192.0.2.1/32", IpcacheFlags.Node)]);
        Assert.Equal((3, 0), (result.Written, result.Deleted));
        Assert.Equal([48u, 112u, 128u], _kernel.Entries.Keys.Select(k => k.Prefixlen).Order());
        Assert.Equal(IpcacheFlags.Node, _kernel.Entries[new IpcacheKey(128, Addr.Parse("192.0.2.1"))].Flags);
    }

    [Fact]
    public void Only_the_difference_is_written_and_an_unchanged_list_is_not_even_compared()
    {
        var table = new IpcacheTable(_kernel);
        table.Apply([Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24")]);
        var writes = _kernel.Writes;
        var result = table.Apply([Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24", IpcacheFlags.Exempt), Prefix("10.244.3.0/24")]);
        Assert.Equal((2, 0, 2), (result.Written, result.Deleted, _kernel.Writes - writes));
        var reads = _kernel.Reads;
        Assert.Equal((0, 0), (table.Apply([Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24", IpcacheFlags.Exempt), Prefix("10.244.3.0/24")])
            is var same ? same.Written : -1, _kernel.Reads - reads));
        Assert.Equal(3u, table.Usage().Entries);
    }

    [Fact]
    public void A_change_is_compared_with_what_was_written_and_the_kernel_is_read_after_an_error_alone()
    {
        var table = new IpcacheTable(_kernel);
        table.Apply([Prefix("10.244.1.0/24")]);
        var reads = _kernel.Reads;
        for (var i = 0; i < 5; i++)
            Assert.Equal((1, 1), table.Apply([Prefix($"10.244.{i + 2}.0/24")]) is var result ? (result.Written, result.Deleted) : default);
        Assert.Equal(reads, _kernel.Reads);
        _kernel.NextFault = () => Fault.FailAfterwards;
        Assert.NotEmpty(table.Apply([Prefix("10.244.9.0/24")]).Errors);
        _kernel.NextFault = () => Fault.None;
        Assert.Empty(table.Apply([Prefix("10.244.9.0/24")]).Errors);
        Assert.True(_kernel.Reads > reads);
        Assert.Equal(new IpcacheKey(96 + 24, Addr.Parse("10.244.9.0")), Assert.Single(_kernel.Entries).Key);
        // Another program's write is seen by a verification, as before.
        _kernel.Entries.Clear();
        Assert.Equal(1, table.Verify());
        Assert.Equal(1, table.Apply([Prefix("10.244.9.0/24")]).Written);
    }

    [Fact]
    public void What_is_new_is_there_before_what_is_old_goes()
    {
        var table = new IpcacheTable(_kernel);
        table.Apply([Prefix("10.244.0.0/16")]);
        var fewest = int.MaxValue;
        _kernel.AfterStep = () => fewest = Math.Min(fewest, _kernel.Entries.Count);
        table.Apply([Prefix("10.244.0.0/17"), Prefix("10.244.128.0/17")]);
        Assert.Equal(2, fewest);
        Assert.DoesNotContain(new IpcacheKey(96 + 16, Addr.Parse("10.244.0.0")), _kernel.Entries.Keys);
    }

    [Fact]
    public void A_restart_takes_over_what_the_kernel_holds()
    {
        new IpcacheTable(_kernel).Apply([Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24")]);
        var restarted = new IpcacheTable(_kernel);
        Assert.Equal(2u, restarted.Usage().Entries);
        var result = restarted.Apply([Prefix("10.244.2.0/24")]);
        Assert.Equal((0, 1), (result.Written, result.Deleted));
    }

    [Fact]
    public void A_full_table_names_the_option_and_serves_the_others()
    {
        var table = new IpcacheTable(new FakeTable<IpcacheKey, Ipcache>(2));
        var result = table.Apply([Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24"), Prefix("10.244.3.0/24")]);
        Assert.Contains("the ipcache-table-size option", Assert.Single(result.Errors).ToString(), StringComparison.Ordinal);
        Assert.Equal((2, 2u), (result.Written, table.Usage().Entries));
    }

    [Fact]
    public void What_is_reached_through_the_tunnel_names_its_device_and_the_node()
    {
        var peer = Addr.Parse("192.0.2.7");
        var table = new IpcacheTable(_kernel);
        ImmutableArray<DesiredPrefix> desired = [Prefix("10.244.1.0/24") with { Tunnel = peer }, Prefix("10.244.2.0/24")];
        IpcacheKey there = new(96 + 24, Addr.Parse("10.244.1.0")), here = new(96 + 24, Addr.Parse("10.244.2.0"));
        Assert.Equal(2, table.Apply(desired, tunnelIfindex: 9).Written);
        Assert.Equal((new Ipcache(IpcacheFlags.Pod, 9, peer), new Ipcache(IpcacheFlags.Pod)),
            (_kernel.Entries[there], _kernel.Entries[here]));
        Assert.Equal(0, table.Apply(desired, 9).Written);
        // the device is made anew; the peer has another address; there is no device
        Assert.Equal(1, table.Apply(desired, 10).Written);
        Assert.Equal(1, table.Apply([desired[0] with { Tunnel = Addr.Parse("2001:db8::7") }, desired[1]], 10).Written);
        Assert.Equal(1, table.Apply(desired, 0).Written);
        Assert.Equal(new Ipcache(IpcacheFlags.Pod), _kernel.Entries[there]);
        table.Apply(desired, 9);
        _kernel.Entries[there] = new Ipcache(IpcacheFlags.Pod, 9, Addr.Parse("192.0.2.8"));
        Assert.Equal(1, table.Verify());
    }

    [Fact]
    public void Drift_is_counted_and_repaired()
    {
        var table = new IpcacheTable(_kernel);
        ImmutableArray<DesiredPrefix> desired = [Prefix("10.244.1.0/24"), Prefix("10.244.2.0/24")];
        table.Apply(desired);
        Assert.Equal(0, table.Verify());
        table.Apply(desired);
        _kernel.Entries.Remove(new IpcacheKey(96 + 24, Addr.Parse("10.244.1.0")));
        _kernel.Entries[new IpcacheKey(96 + 24, Addr.Parse("10.244.2.0"))] = new Ipcache(IpcacheFlags.Node);
        _kernel.Entries[new IpcacheKey(8, Addr.Parse("fd00::"))] = new Ipcache(IpcacheFlags.Node);
        Assert.Equal(3, table.Verify());
        Assert.Equal((2, 1), table.Apply(desired) is var repair ? (repair.Written, repair.Deleted) : default);
        Assert.Equal(0, table.Verify());
    }

    [Fact]
    public void Whatever_fails_the_next_apply_ends_as_desired()
    {
        var random = new Random(Seed.Next());
        var table = new IpcacheTable(_kernel);
        for (var round = 0; round < 300; round++)
        {
            _kernel.NextFault = () => random.Next(4) switch { 0 => Fault.Fail, 1 => Fault.FailAfterwards, _ => Fault.None };
            ImmutableArray<DesiredPrefix> desired =
                [.. Enumerable.Range(0, 8).Where(_ => random.Next(2) == 0)
                    .Select(i => Prefix($"10.244.{i}.0/24", (IpcacheFlags)(1 << random.Next(3))))];
            table.Apply(desired);
            _kernel.NextFault = () => Fault.None;
            Assert.Empty(table.Apply(desired).Errors);
            Assert.Equal(desired.ToDictionary(p => new IpcacheKey(96 + 24, p.Addr), p => new Ipcache(p.Flags)).OrderBy(e => e.Key.Addr),
                _kernel.Entries.OrderBy(e => e.Key.Addr));
        }
    }

    private static DesiredPrefix Prefix(string text, IpcacheFlags flags = IpcacheFlags.Pod)
    {
        var network = IPNetwork.Parse(text);
        return new DesiredPrefix(Addr.From(network.BaseAddress), network.PrefixLength, flags);
    }
}
