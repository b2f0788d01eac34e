using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>runtimeConfig: addresses, a MAC address and rates that are asked for. (hostPorts: <see cref="PortMappingTests"/>.)</summary>
public class CapabilityTests
{
    private static readonly EndpointKey Key = new(CniFixture.Container, "eth0");

    [Fact]
    public async Task An_address_that_is_asked_for_is_given_and_the_other_family_has_the_next()
    {
        using var fixture = new CniFixture();
        Assert.Equal(["10.1.0.77/32", "fd00:1::2/128"], CniFixture.AddressesOf(await fixture.Run(Add("\"ips\":[\"10.1.0.77/24\"]"))));
        Assert.Equal(["10.1.0.2/32", "fd00:1::77/128"], CniFixture.AddressesOf(await fixture.Run(Add("\"ips\":[\"fd00:1::77\"]", "c2"))));
        Assert.Equal(
            ["10.1.0.99/32", "fd00:1::99/128"],
            CniFixture.AddressesOf(await fixture.Run(Add("\"ips\":[\"fd00:1::99\",\"10.1.0.99\"]", "c3"))));
    }

    [Fact]
    public async Task Who_asks_for_an_address_need_not_let_it_rest_and_an_older_attachment_makes_way()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add("\"ips\":[\"10.1.0.77\"]"));
        await fixture.Run("DEL");
        Assert.Equal("10.1.0.77/32", CniFixture.AddressesOf(await fixture.Run(Add("\"ips\":[\"10.1.0.77\"]")))[0]);
        Assert.Equal("10.1.0.78/32", CniFixture.AddressesOf(await fixture.Run(Add("\"ips\":[\"10.1.0.78\"]")))[0]);
        Assert.Single(fixture.Store.All);
        Assert.Equal(2, fixture.Node.Entries.Count);
    }

    [Theory]
    [InlineData("10.1.0.2", "a pod of this node uses it")]
    [InlineData("10.9.0.2", "it is not in 10.1.0.0/24")]
    [InlineData("10.1.0.0", "first, second or last")]
    public async Task An_address_that_cannot_be_had_is_an_error_and_nothing_is_left(string address, string why)
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD");
        var error = await fixture.Fails(Add($"\"ips\":[\"{address}\"]", "c2"));
        Assert.Equal(CniErrorCode.AddressNotAvailable, error.Code);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Equal(1, fixture.Store.Usage.Single().InUse);
        var family = await fixture.Fails(Add("\"ips\":[\"fd00::1\"]", "c2"));
        Assert.Contains("no podCIDR of its family", family.Message, StringComparison.Ordinal);
        Assert.Single(fixture.Files);
    }

    [Fact]
    public async Task A_MAC_address_that_is_asked_for_is_the_pods_and_stays_so_over_a_restart()
    {
        using var fixture = new CniFixture();
        var answer = await fixture.Run(Add("\"mac\":\"C2:11:22:33:44:55\""));
        Assert.Equal("c2:11:22:33:44:55", answer.GetProperty("result").GetProperty("interfaces")[1].GetProperty("mac").GetString());
        fixture.Restart(adopt: true);
        var record = fixture.Store.Find(Key)!;
        Assert.Equal("c2:11:22:33:44:55", MacAddr.FromBytes(record.PodMac).ToString());
        Assert.Equal(Key.Mac(host: true), record.HostMac);
        await fixture.Run("ADD");
        Assert.Equal(Key.Mac(host: false), fixture.Store.Find(Key)!.PodMac);
    }

    [Fact]
    public async Task containerd_spells_rates_in_its_own_way()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add("\"bandwidth\":{\"IngressRate\":8000000,\"IngressBurst\":80000,\"EgressRate\":0,\"EgressBurst\":0}"));
        Assert.Equal(new Bandwidth(8000000, 80000, 0, 0), Assert.Single(fixture.Store.All).Bandwidth);
    }

    [Fact]
    public async Task Rates_are_kept_and_a_repeated_ADD_changes_them()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add(
            "\"bandwidth\":{\"ingressRate\":8000000,\"ingressBurst\":80000,\"egressRate\":0,\"egressBurst\":4294967295}"));
        fixture.Restart(adopt: true);
        Assert.Equal(new Bandwidth(8000000, 80000, 0, 4294967295), fixture.Store.Find(Key)!.Bandwidth);
        await fixture.Run("ADD");
        Assert.Null(fixture.Store.Find(Key)!.Bandwidth);
    }

    [Theory]
    [InlineData("\"mac\":\"01:11:22:33:44:55\"")]
    [InlineData("\"mac\":\"00:00:00:00:00:00\"")]
    [InlineData("\"mac\":\"2:1:22:33:44:55\"")]
    [InlineData("\"mac\":7")]
    [InlineData("\"ips\":\"10.1.0.7\"")]
    [InlineData("\"ips\":[\"10.1.0.7\",\"10.1.0.8\"]")]
    [InlineData("\"ips\":[\"10.1.7\"]")]
    [InlineData("\"ips\":[\"10.1.0.7/33\"]")]
    [InlineData("\"ips\":[\"fe80::1%eth0\"]")]
    [InlineData("\"ips\":[\"\\ud800\"]")]
    [InlineData("\"bandwidth\":[]")]
    [InlineData("\"bandwidth\":{\"ingressRate\":-1}")]
    [InlineData("\"bandwidth\":{\"ingressRate\":1.5,\"ingressBurst\":8}")]
    [InlineData("\"bandwidth\":{\"ingressRate\":8000}")]
    [InlineData("\"bandwidth\":{\"egressRate\":8000,\"egressBurst\":99999999999999}")]
    public void What_cannot_be_is_refused(string asked) =>
        Assert.Equal(CniErrorCode.InvalidNetworkConfig, Assert.Throws<CniException>(() => Add(asked)).Code);

    private static CniRequest Add(string asked, string container = CniFixture.Container) =>
        CniFixture.Request("ADD", container, extra: $",\"runtimeConfig\":{{{asked}}}");
}
