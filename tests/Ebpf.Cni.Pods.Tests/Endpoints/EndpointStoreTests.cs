using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Pods.Tests.Endpoints;

/// <summary>The node's addresses as ranges come, change and run out.</summary>
public sealed class EndpointStoreTests : IDisposable
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(60);
    private readonly TemporaryDirectory _state = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private EndpointStore _store;

    public EndpointStoreTests() => _store = Open();

    [Fact]
    public async Task Ranges_that_come_late_are_waited_for_but_not_for_ever()
    {
        Assert.False(_store.HasRanges);
        var waiting = _store.WaitForRangesAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(19));
        Assert.False(waiting.IsCompleted);
        Ranges("10.1.0.0/24");
        await waiting.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal("10.1.0.2", Add("a"));

        using var other = new TemporaryDirectory();
        var late = new EndpointStore(new EndpointFiles(other.Path, "n1"), Rest, _time, NullLogger<EndpointStore>.Instance)
            .WaitForRangesAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(CniErrorCode.TryAgainLater, (await Assert.ThrowsAsync<CniException>(() => late)).Code);
    }

    [Fact]
    public void When_ranges_change_pods_keep_what_they_have_and_new_ones_get_the_new()
    {
        Ranges("10.1.0.0/24");
        Assert.Equal("10.1.0.2", Add("old"));
        Ranges("10.2.0.0/24");
        Assert.Equal("10.2.0.2", Add("new"));
        Assert.Equal(["10.1.0.2", "10.2.0.2"], _store.All.SelectMany(r => r.Addresses).Order(StringComparer.Ordinal));
        _store = Open();
        Assert.Equal("10.2.0.3", Add("newer"));
        // What was released under another range rests all the same, should that come back.
        Delete("old");
        Ranges("10.1.0.0/30");
        Assert.Throws<CniException>(() => Add("again"));
        _time.Advance(Rest);
        Assert.Equal("10.1.0.2", Add("again"));
    }

    [Fact]
    public void A_family_can_come_later_and_go()
    {
        Ranges("10.1.0.0/24");
        Assert.Equal("10.1.0.2", Add("v4"));
        Ranges("10.1.0.0/24", "fd00:1::/64");
        Assert.Equal("10.1.0.3 fd00:1::2", Add("both"));
        Assert.Equal(["10.1.0.2"], _store.Find(Key("v4"))!.Addresses);
        Ranges("10.1.0.0/24");
        Delete("both");
        Ranges("fd00:1::/126", "10.1.0.0/24");
        Assert.Equal("10.1.0.4 fd00:1::3", Add("later")); // ::2 rests
        Assert.Equal([AddressFamily.InterNetwork, AddressFamily.InterNetworkV6], _store.Usage.Select(u => u.Family));
    }

    [Fact]
    public void Exhaustion_says_where_how_many_and_when()
    {
        Ranges("10.1.0.0/29", "fd00:1::/64");
        foreach (var pod in (string[])["a", "b", "c", "d", "e"])
            Add(pod);
        var full = Assert.Throws<CniException>(() => Add("f"));
        Assert.Equal(CniErrorCode.AddressesExhausted, full.Code);
        Assert.Equal("no free address in 10.1.0.0/29 (capacity 5)", full.Message);
        Assert.Equal("5 in use, 0 within the IP reuse delay", full.Details);
        Delete("a");
        _time.Advance(TimeSpan.FromSeconds(15));
        var resting = Assert.Throws<CniException>(() => Add("f"));
        Assert.Equal(full.Message, resting.Message);
        Assert.StartsWith("4 in use, 1 within the IP reuse delay, next free in 45 s, at 2020", resting.Details, StringComparison.Ordinal);
        Assert.Equal((AddressFamily.InterNetwork, 1), _store.AtRest[0]);
        // Refused pods had no address, of no family.
        Assert.Equal([4, 4], _store.Usage.Select(u => u.InUse));
        _time.Advance(TimeSpan.FromSeconds(45));
        Assert.Equal("10.1.0.2 fd00:1::7", Add("f"));
        Assert.Equal(0, _store.AtRest[0].Resting);
    }

    [Fact]
    public void A_clock_set_back_over_a_restart_makes_no_rest_longer()
    {
        Ranges("10.1.0.0/30");
        Add("a");
        Delete("a");
        var earlier = new FakeTimeProvider(_time.GetUtcNow().AddYears(-10));
        var store = new EndpointStore(new EndpointFiles(_state.Path, "n1"), Rest, earlier, NullLogger<EndpointStore>.Instance);
        Assert.Throws<CniException>(() => store.Reserve(Key("b"), "/ns/b", "", []));
        earlier.Advance(Rest);
        Assert.Equal(["10.1.0.2"], store.Reserve(Key("b"), "/ns/b", "", []).Addresses);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"podCidrs\":[\"10.1.0.0/24\"],\"resting\":[{\"addr")]
    [InlineData("\0\0\0\0")]
    [InlineData("{\"podCidrs\":5}")]
    public void A_torn_file_of_ranges_is_set_aside_and_named(string content)
    {
        Ranges("10.1.0.0/24");
        Add("a");
        var file = Path.Combine(_state.Path, "addresses.json");
        File.WriteAllText(file, content);
        var log = new KeptLog<EndpointStore>();
        _store = new EndpointStore(new EndpointFiles(_state.Path, "n1"), Rest, _time, log);
        Assert.Contains(log.Lines, l => l.Id == 3103 && l.Message.Contains(file, StringComparison.Ordinal));
        Assert.Equal(content, File.ReadAllText(file + ".bad"));
        // The API tells the ranges again; nobody's address is given out.
        Assert.False(_store.HasRanges);
        Ranges("10.1.0.0/24");
        Assert.Equal("10.1.0.3", Add("b"));
        _ = new EndpointStore(new EndpointFiles(_state.Path, "n1"), Rest, _time, log = new KeptLog<EndpointStore>());
        Assert.Empty(log.Lines);
    }

    [Fact]
    public void Every_file_carries_the_nodes_name_and_another_nodes_directory_is_known()
    {
        Ranges("10.1.0.0/24");
        Add("a");
        var pool = Path.Combine(_state.Path, "addresses.json");
        var record = Directory.GetFiles(Path.Combine(_state.Path, "endpoints")).Single();
        Assert.All([pool, record], file => Assert.Contains("\"node\": \"n1\"", File.ReadAllText(file), StringComparison.Ordinal));
        Assert.Null(EndpointFiles.OtherOwner(_state.Path, "n1"));
        Assert.Equal("n1", EndpointFiles.OtherOwner(_state.Path, "n2"));
        // One of them is enough, and damage to the other does not hide it.
        File.WriteAllText(pool, "{");
        Assert.Equal("n1", EndpointFiles.OtherOwner(_state.Path, "n2"));
        File.Delete(pool);
        Assert.Equal("n1", EndpointFiles.OtherOwner(_state.Path, "n2"));
        using var nothing = new TemporaryDirectory();
        Assert.Null(EndpointFiles.OtherOwner(nothing["missing"], "n2"));
    }

    [Fact]
    public void A_directory_of_an_older_agent_is_taken_over()
    {
        Ranges("10.1.0.0/24");
        Add("a");
        foreach (var file in Directory.GetFiles(_state.Path, "*.json", SearchOption.AllDirectories))
        {
            var members = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
            Assert.True(members.Remove("node"));
            File.WriteAllText(file, members.ToJsonString());
        }

        Assert.Null(EndpointFiles.OtherOwner(_state.Path, "n2"));
        var taken = new EndpointStore(new EndpointFiles(_state.Path, "n2"), Rest, _time, NullLogger<EndpointStore>.Instance);
        Assert.Equal(["10.1.0.2"], taken.All.Single().Addresses);
        Assert.Equal("n2", EndpointFiles.OtherOwner(_state.Path, "n1"));
    }

    [Fact]
    public void A_second_record_of_an_address_or_number_is_set_aside()
    {
        Ranges("10.1.0.0/24");
        Add("a");
        var first = _store.All.Single();
        foreach (var (pod, number, address) in ((string, uint, string)[])[("copy", first.Number, "10.1.0.9"),
            ("thief", 77, first.Addresses[0])])
            new EndpointFiles(_state.Path, "n1").Write(first with { ContainerId = pod, Number = number, Addresses = [address] });
        var log = new KeptLog<EndpointStore>();
        _store = new EndpointStore(new EndpointFiles(_state.Path, "n1"), Rest, _time, log);
        Assert.Equal(2, log.Lines.Count(l => l.Id == 3101));
        Assert.Single(_store.All);
    }

    public void Dispose() => _state.Dispose();

    private EndpointStore Open() => new(new EndpointFiles(_state.Path, "n1"), Rest, _time, NullLogger<EndpointStore>.Instance);

    private void Ranges(params string[] ranges) => _store.SetRanges([.. ranges.Select(PodCidr.Parse)]);

    private string Add(string pod) => string.Join(' ', _store.Reserve(Key(pod), "/ns/" + pod, "", []).Addresses);

    private void Delete(string pod) => _store.Release(_store.Find(Key(pod))!);

    private static EndpointKey Key(string pod) => new(pod, "eth0");
}
