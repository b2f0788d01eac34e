using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>ADD: its result, its order of steps, repeated, failing at every step.</summary>
public class AddTests
{
    public static TheoryData<string, bool> EveryStep()
    {
        var data = new TheoryData<string, bool>();
        foreach (var step in new[] { "create", "attach", "publish", "configure", "connect" })
        {
            data.Add(step, false);
            data.Add(step, true);
        }

        return data;
    }

    [Fact]
    public async Task The_result_is_the_specifications()
    {
        using var fixture = new CniFixture();
        var answer = await fixture.Run(CniFixture.Request("ADD", version: "1.1.0", extra: ",\"dns\":{\"nameservers\":[\"10.0.0.10\"]}"));
        var key = new EndpointKey(CniFixture.Container, "eth0");
        Assert.Equal(
            $$$"""
            {"cniVersion":"1.1.0","interfaces":[{"name":"{{{key.HostInterface}}}","mac":"{{{Mac(key, true)}}}","mtu":1400},{"name":"eth0","mac":"{{{Mac(key, false)}}}","mtu":1400,"sandbox":"/ns/a"}],"ips":[{"interface":1,"address":"10.1.0.2/32","gateway":"169.254.1.1"},{"interface":1,"address":"fd00:1::2/128","gateway":"fe80::ecc:1"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"},{"dst":"::/0","gw":"fe80::ecc:1"}],"dns":{"nameservers":["10.0.0.10"]}}
            """,
            answer.GetProperty("result").GetRawText());
    }

    [Theory]
    [InlineData("0.1.0")]
    [InlineData("0.2.0")]
    [InlineData("")] // which is 0.1.0 to the reference plugins
    public async Task Results_before_0_3_have_a_member_for_each_family(string version)
    {
        using var fixture = new CniFixture();
        var answer = await fixture.Run(CniFixture.Request("ADD", version: version));
        Assert.Equal(
            $$$"""{"cniVersion":"{{{(version.Length > 0 ? version : "0.1.0")}}}","ip4":"""
            + """{"ip":"10.1.0.2/32","gateway":"169.254.1.1","routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}]},"ip6":"""
            + """{"ip":"fd00:1::2/128","gateway":"fe80::ecc:1","routes":[{"dst":"::/0","gw":"fe80::ecc:1"}]},"dns":{}}""",
            answer.GetProperty("result").GetRawText());
    }

    [Theory]
    [InlineData("0.3.0")]
    [InlineData("0.3.1")]
    [InlineData("0.4.0")]
    public async Task Results_before_version_1_name_the_family(string version)
    {
        using var fixture = new CniFixture();
        var result = (await fixture.Run(CniFixture.Request("ADD", version: version))).GetProperty("result");
        Assert.Equal(version, result.GetProperty("cniVersion").GetString());
        Assert.Equal(["4", "6"], result.GetProperty("ips").EnumerateArray().Select(i => i.GetProperty("version").GetString()));
        Assert.False(result.GetProperty("interfaces")[0].TryGetProperty("mtu", out _));
    }

    [Fact]
    public async Task Programs_and_entry_come_before_the_pod_can_send()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        Assert.Equal(["create", "attach", "publish", "configure", "connect"], fixture.Node.Steps);
        Assert.True(fixture.Store.Find(new EndpointKey(CniFixture.Container, "eth0")) is { Ready: true, Pod: "default/web", Mtu: 1400 });
    }

    [Fact]
    public async Task Repeated_it_gives_the_same_addresses_and_changes_no_link()
    {
        using var fixture = new CniFixture();
        var first = await fixture.Run("ADD");
        var link = fixture.Node.Links.Single();
        var second = await fixture.Run("ADD");
        Assert.Equal(first.GetRawText(), second.GetRawText());
        Assert.Equal(link, fixture.Node.Links.Single());
        Assert.Single(fixture.Files);
    }

    [Fact]
    public async Task Repeated_after_its_link_was_lost_it_makes_it_again_with_the_same_addresses()
    {
        using var fixture = new CniFixture();
        var first = await fixture.Run("ADD");
        fixture.Node.LoseLink(fixture.Node.Links.Keys.Single());
        Assert.Equal(first.GetRawText(), (await fixture.Run("ADD")).GetRawText());
        Assert.Single(fixture.Node.Connected);
    }

    [Fact]
    public async Task A_container_that_comes_in_another_namespace_moves_there()
    {
        using var fixture = new CniFixture();
        var first = await fixture.Run("ADD");
        var second = await fixture.Run("ADD", netns: "/ns/b");
        Assert.Equal(CniFixture.AddressesOf(first), CniFixture.AddressesOf(second));
        Assert.Equal("/ns/b", fixture.Store.All.Single().Netns);
        Assert.Single(fixture.Node.Links);
    }

    [Theory]
    [MemberData(nameof(EveryStep))]
    public async Task Failing_at_any_step_it_leaves_nothing_and_the_next_succeeds(string step, bool afterEffect)
    {
        using var fixture = new CniFixture();
        (fixture.Node.FailAt, fixture.Node.FailAfterEffect) = (step, afterEffect);
        var error = await fixture.Fails(CniFixture.Request("ADD"));
        Assert.Equal(CniErrorCode.Internal, error.Code);
        Assert.Contains(step, error.Message, StringComparison.Ordinal);
        Assert.True(fixture.Node.Empty, "something is left on the node");
        Assert.Empty(fixture.Files);

        fixture.Node.FailAt = null;
        Assert.Equal(2, CniFixture.AddressesOf(await fixture.Run("ADD")).Length);
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("withdraw")]
    [InlineData("detach")]
    public async Task An_undo_that_fails_keeps_the_record_and_a_DEL_finishes_it(string undo)
    {
        using var fixture = new CniFixture();
        var node = fixture.Node;
        node.Namespaces.Add("/ns/gone");
        await fixture.Run("ADD"); // an unrelated pod is not touched
        var failing = new FailingUndo(node, undo);
        using var handler = fixture.HandlerOver(failing);
        await Assert.ThrowsAsync<CniException>(() => handler.HandleAsync(CniFixture.Request("ADD", "c2"), default));
        Assert.Equal(2, fixture.Store.All.Count);

        await fixture.Run("DEL", "c2");
        Assert.Equal(CniFixture.Container, fixture.Store.All.Single().ContainerId);
        Assert.Single(node.Links);
        Assert.Single(node.Programs);
        Assert.Equal(2, node.Entries.Count);
    }

    [Fact]
    public async Task Without_the_namespace_it_refuses_and_reserves_nothing()
    {
        using var fixture = new CniFixture();
        var error = await fixture.Fails(CniFixture.Request("ADD", netns: "/ns/none"));
        Assert.Equal(CniErrorCode.InvalidEnvironment, error.Code);
        Assert.Empty(fixture.Files);
    }

    [Fact]
    public async Task Without_a_podCIDR_it_asks_to_try_again_after_a_bounded_wait()
    {
        using var fixture = new CniFixture();
        using var fresh = new TemporaryDirectory();
        using var handler = fixture.HandlerOver(fixture.Node, fixture.StoreAt(fresh.Path));
        var add = handler.HandleAsync(CniFixture.Request("ADD"), default);
        Assert.False(add.IsCompleted);
        fixture.Time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(CniErrorCode.TryAgainLater, (await Assert.ThrowsAsync<CniException>(() => add)).Code);
    }

    [Fact]
    public async Task A_DEL_that_comes_while_its_ADD_waits_for_a_podCIDR_removes_what_the_ADD_makes()
    {
        using var fixture = new CniFixture();
        using var fresh = new TemporaryDirectory();
        var store = fixture.StoreAt(fresh.Path);
        using var handler = fixture.HandlerOver(fixture.Node, store);
        var add = handler.HandleAsync(CniFixture.Request("ADD"), default);
        var delete = handler.HandleAsync(CniFixture.Request("DEL"), default);
        store.SetRanges([Compiler.Addresses.PodCidr.Parse("10.1.0.0/24")]);
        await add;
        await delete;
        Assert.Empty(store.All);
        Assert.True(fixture.Node.Empty);
    }

    [Fact]
    public async Task An_exhausted_range_is_a_clear_error_and_a_rested_address_ends_it()
    {
        using var fixture = new CniFixture("10.1.0.0/30");
        Assert.Equal(["10.1.0.2/32"], CniFixture.AddressesOf(await fixture.Run("ADD")));
        var error = await fixture.Fails(CniFixture.Request("ADD", "c2"));
        Assert.Equal(CniErrorCode.AddressesExhausted, error.Code);
        Assert.Contains("10.1.0.0/30", error.Message, StringComparison.Ordinal);

        await fixture.Run("DEL");
        Assert.Equal(CniErrorCode.AddressesExhausted, (await fixture.Fails(CniFixture.Request("ADD", "c2"))).Code);
        fixture.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(["10.1.0.2/32"], CniFixture.AddressesOf(await fixture.Run("ADD", "c2")));
    }

    [Fact]
    public async Task An_exhausted_family_takes_back_the_other_familys_address()
    {
        using var fixture = new CniFixture("10.1.0.0/24", "fd00:1::/127");
        await fixture.Run("ADD");
        await fixture.Run("ADD", "c2");
        await fixture.Fails(CniFixture.Request("ADD", "c3"));
        Assert.Equal(2, fixture.Store.Usage.Single(u => u.Family == System.Net.Sockets.AddressFamily.InterNetwork).InUse);
    }

    [Fact]
    public async Task Many_at_once_have_different_addresses_and_numbers_within_the_limit()
    {
        using var fixture = new CniFixture();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => fixture.Run("ADD", $"pod{i}")));
        Assert.Equal(100, answers.SelectMany(CniFixture.AddressesOf).Distinct().Count());
        Assert.Equal(50, fixture.Store.All.Select(r => r.Number).Distinct().Count());
        Assert.InRange(fixture.Node.MostAtOnce, 1, 4);
    }

    private static string Mac(EndpointKey key, bool host) => Abi.MacAddr.FromBytes(key.Mac(host)).ToString();
}
