using System.Text.Json;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>Not the first plugin of a chain: what was made before stays in the result, and indices stay right.</summary>
public class ChainTests
{
    private const string Before = """
        {"cniVersion":"1.0.0","interfaces":[{"name":"br0"},{"name":"net1","mac":"02:00:00:00:00:01","sandbox":"/ns/a"}],
         "ips":[{"interface":1,"address":"192.0.2.7/24","gateway":"192.0.2.1"}],"routes":[{"dst":"198.51.100.0/24"}],"dns":{"domain":"before"}}
        """;

    [Fact]
    public async Task What_came_before_is_in_the_result_and_ours_follows()
    {
        using var fixture = new CniFixture();
        var result = (await fixture.Run(Add(Before))).GetProperty("result");
        var names = Items(result, "interfaces").Select(i => i.GetProperty("name").GetString()).ToList();
        Assert.Equal(["br0", "net1", new EndpointKey(CniFixture.Container, "eth0").HostInterface, "eth0"], names);
        Assert.Equal(
            [(1, "192.0.2.7/24"), (3, "10.1.0.2/32"), (3, "fd00:1::2/128")],
            Items(result, "ips").Select(i => (i.GetProperty("interface").GetInt32(), i.GetProperty("address").GetString()!)));
        Assert.Equal(["198.51.100.0/24", "0.0.0.0/0", "::/0"], Items(result, "routes").Select(r => r.GetProperty("dst").GetString()));
        Assert.Equal("before", result.GetProperty("dns").GetProperty("domain").GetString());
        // What comes out is what a CHECK brings.
        await fixture.Run(CniFixture.Request("CHECK", extra: $",\"prevResult\":{result.GetRawText()}"));
    }

    [Fact]
    public async Task Our_own_dns_counts_before_theirs()
    {
        using var fixture = new CniFixture();
        var result = (await fixture.Run(Add(Before, ",\"dns\":{\"domain\":\"ours\"}"))).GetProperty("result");
        Assert.Equal("ours", result.GetProperty("dns").GetProperty("domain").GetString());
    }

    [Fact]
    public async Task An_interface_that_somebody_has_made_already_is_refused_in_words()
    {
        using var fixture = new CniFixture();
        var error = await fixture.Fails(Add(Before.Replace("net1", "eth0", StringComparison.Ordinal)));
        Assert.Equal(CniErrorCode.InvalidNetworkConfig, error.Code);
        Assert.Contains("chained", error.Details, StringComparison.Ordinal);
        Assert.Empty(fixture.Files);
    }

    [Theory]
    [InlineData("{\"interfaces\":7}")]
    [InlineData("{\"interfaces\":[7]}")]
    [InlineData("{\"interfaces\":[{\"name\":7}]}")]
    [InlineData("{\"ips\":[{\"address\":\"x\"}]}")]
    [InlineData("{\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":0}]}")]
    [InlineData("{\"interfaces\":[{\"name\":\"\\ud800\"}]}")]
    public void What_is_no_result_is_refused(string previous) =>
        Assert.Equal(CniErrorCode.DecodingFailure, Assert.Throws<CniException>(() => Add(previous)).Code);

    [Fact]
    public void A_DEL_does_not_care() => CniFixture.Request("DEL", extra: ",\"prevResult\":{\"ips\":7}");

    [Fact]
    public async Task CHECK_sees_another_MAC_address_in_the_result()
    {
        using var fixture = new CniFixture();
        var result = (await fixture.Run("ADD")).GetProperty("result").GetRawText();
        var mac = Abi.MacAddr.FromBytes(new EndpointKey(CniFixture.Container, "eth0").Mac(host: false)).ToString();
        var wrong = result.Replace(mac, "02:00:00:00:00:01", StringComparison.Ordinal);
        Assert.Equal(CniErrorCode.CheckFailed, (await fixture.Fails(CniFixture.Request("CHECK", extra: $",\"prevResult\":{wrong}"))).Code);
    }

    private static CniRequest Add(string previous, string extra = "") =>
        CniFixture.Request("ADD", extra: $",\"prevResult\":{previous}{extra}");

    private static JsonElement.ArrayEnumerator Items(JsonElement owner, string name) => owner.GetProperty(name).EnumerateArray();
}
