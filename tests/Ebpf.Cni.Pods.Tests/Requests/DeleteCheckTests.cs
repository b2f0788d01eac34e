using System.Text;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>DEL, CHECK, STATUS and GC.</summary>
public class DeleteCheckTests
{
    [Fact]
    public async Task DEL_leaves_nothing_and_succeeds_again()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        await fixture.Run("DEL");
        Assert.True(fixture.Node.Empty);
        Assert.Empty(fixture.Files);
        Assert.Equal("{}", (await fixture.Run("DEL")).GetRawText());
    }

    [Fact]
    public async Task DEL_succeeds_with_namespace_and_link_gone()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        fixture.Node.LoseLink(fixture.Node.Links.Keys.Single());
        await fixture.Run("DEL", netns: "");
        Assert.True(fixture.Node.Empty);
        Assert.Empty(fixture.Files);
    }

    [Theory]
    [InlineData("""{"cniVersion":"9.9.9"}""")]
    [InlineData("""{"cniVersion":7,"name":[],"prevResult":7,"dns":"x","runtimeConfig":1}""")]
    [InlineData("[]")]
    public async Task DEL_asks_nothing_of_its_configuration(string config)
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        await fixture.Run(CniRequest.Parse(Encoding.UTF8.GetBytes(
            $$"""{"command":"DEL","containerId":"{{CniFixture.Container}}","ifname":"eth0","netns":"relative","args":"K8S_POD_NAME=%;"""
            + $$"""{{new string('x', 20000)}}","config":{{config}}}""")));
        Assert.True(fixture.Node.Empty);
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("withdraw")]
    [InlineData("detach")]
    public async Task A_DEL_that_fails_keeps_the_addresses_and_the_next_finishes(string step)
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        fixture.Node.FailAt = step;
        await fixture.Fails(CniFixture.Request("DEL"));
        Assert.Single(fixture.Files);
        fixture.Node.FailAt = null;
        await fixture.Run("DEL");
        Assert.True(fixture.Node.Empty);
        Assert.Empty(fixture.Files);
    }

    [Fact]
    public async Task CHECK_is_content_with_what_ADD_made()
    {
        using var fixture = new CniFixture();
        var added = await fixture.Run("ADD");
        Assert.Equal("{}", (await fixture.Run(Check(added.GetProperty("result").GetRawText()))).GetRawText());
    }

    [Fact]
    public async Task CHECK_names_what_differs()
    {
        using var fixture = new CniFixture();
        var result = (await fixture.Run("ADD")).GetProperty("result").GetRawText();
        var error = await fixture.Fails(Check(result.Replace("10.1.0.2", "10.1.0.9", StringComparison.Ordinal)));
        Assert.Equal(CniErrorCode.CheckFailed, error.Code);
        Assert.Contains("10.1.0.2", error.Message, StringComparison.Ordinal);

        fixture.Node.Entries.Remove("10.1.0.2");
        Assert.Contains("endpoint table", (await fixture.Fails(Check(result))).Message, StringComparison.Ordinal);
        fixture.Node.LoseLink(fixture.Node.Links.Keys.Single());
        Assert.Contains("no interface", (await fixture.Fails(Check(result))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CHECK_of_an_unknown_container_and_without_prevResult_have_their_codes()
    {
        using var fixture = new CniFixture();
        Assert.Equal(CniErrorCode.UnknownContainer, (await fixture.Fails(Check("{}"))).Code);
        Assert.Equal(CniErrorCode.InvalidNetworkConfig, (await fixture.Fails(CniFixture.Request("CHECK"))).Code);
        await fixture.Run("ADD");
        Assert.Equal(CniErrorCode.DecodingFailure, Assert.Throws<CniException>(() => Check("{\"ips\":[7]}")).Code);
    }

    [Fact]
    public async Task STATUS_tells_whether_an_ADD_can_succeed()
    {
        using var fixture = new CniFixture();
        Assert.Equal("{}", (await fixture.Run(CniFixture.Request("STATUS", version: "1.1.0"))).GetRawText());
        using var fresh = new TemporaryDirectory();
        using var handler = fixture.HandlerOver(fixture.Node, fixture.StoreAt(fresh.Path));
        var error = await Assert.ThrowsAsync<CniException>(
            () => handler.HandleAsync(CniFixture.Request("STATUS", version: "1.1.0"), default));
        Assert.Equal(CniErrorCode.PluginNotAvailable, error.Code);
    }

    [Fact]
    public async Task GC_removes_what_the_runtime_no_longer_lists()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD", "keep");
        await fixture.Run("ADD", "drop");
        await fixture.Run(CniFixture.Request(
            "GC", version: "1.1.0", extra: ",\"cni.dev/valid-attachments\":[{\"containerID\":\"keep\",\"ifname\":\"eth0\"}]"));
        Assert.Equal("keep", fixture.Store.All.Single().ContainerId);
        Assert.Equal("keep", fixture.Node.Links.Single().Key.ContainerId);
        Assert.Equal(CniErrorCode.InvalidNetworkConfig, (await fixture.Fails(CniFixture.Request("GC", version: "1.1.0"))).Code);
    }

    [Fact]
    public async Task GC_leaves_other_networks_alone_and_takes_what_has_no_record()
    {
        using var fixture = new CniFixture();
        await fixture.Run(CniFixture.Request("ADD", "other", network: "second"));
        await fixture.Run("ADD", "drop");
        fixture.Node.Links[new EndpointKey("stray", "eth0")] = 9;
        fixture.Node.Entries["10.1.0.99"] = 99;
        var collect = ",\"cni.dev/valid-attachments\":[]";
        await fixture.Run(CniFixture.Request("GC", version: "1.1.0", extra: collect));
        Assert.Equal("other", fixture.Store.All.Single().ContainerId);
        Assert.Equal("other", fixture.Node.Links.Single().Key.ContainerId);
        Assert.Equal(2, fixture.Node.Entries.Count);
        await fixture.Run(CniFixture.Request("GC", version: "1.1.0", extra: collect, network: "second"));
        Assert.True(fixture.Node.Empty);
    }

    [Fact]
    public async Task GC_during_ADDs_takes_nothing_that_they_make()
    {
        using var fixture = new CniFixture();
        var listed = string.Join(',', Enumerable.Range(0, 40).Select(i => $"{{\"containerID\":\"p{i}\",\"ifname\":\"eth0\"}}"));
        var collect = CniFixture.Request("GC", version: "1.1.0", extra: $",\"cni.dev/valid-attachments\":[{listed}]");
        await Task.WhenAll(Enumerable.Range(0, 40).SelectMany(i => new[] { fixture.Run("ADD", $"p{i}"), fixture.Run(collect) }));
        Assert.Equal(40, fixture.Node.Links.Count);
        Assert.Equal(80, fixture.Node.Entries.Count);
    }

    [Fact]
    public async Task STATUS_tells_of_tables_behind_the_cluster_and_a_full_node_is_ready()
    {
        using var fixture = new CniFixture("10.1.0.0/30", "fd00:1::/64");
        await fixture.Run("ADD");
        // A node that is not ready loses its pods: these lack nothing.
        Assert.Equal(CniErrorCode.AddressesExhausted, (await fixture.Fails(CniFixture.Request("ADD", "c2"))).Code);
        Assert.Equal("{}", (await fixture.Run(CniFixture.Request("STATUS", version: "1.1.0"))).GetRawText());
        fixture.Current = false;
        Assert.Equal(CniErrorCode.PluginNotAvailableLimited, (await fixture.Fails(CniFixture.Request("STATUS", version: "1.1.0"))).Code);
    }

    private static CniRequest Check(string prevResult) => CniFixture.Request("CHECK", extra: $",\"prevResult\":{prevResult}");
}
