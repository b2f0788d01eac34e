using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>--cni-mode chained: another plugin's interface and addresses, our programs and entries.</summary>
public class ChainedModeTests
{
    private const string Result = """
        {"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"name":"veth1","mac":"02:00:00:00:00:11"},{"name":"eth0","mac":"02:00:00:00:00:22","sandbox":"/ns/a"}],"ips":[{"interface":2,"address":"fd00:9::7/64"},{"interface":2,"address":"10.9.0.7/24","gateway":"10.9.0.1"}],"routes":[],"strange":[1,2]}
        """;

    private static readonly EndpointKey Key = new(CniFixture.Container, "eth0");
    private static readonly ChainedInterface Host = new("veth1", "02:00:00:00:00:11");

    [Fact]
    public async Task The_answer_is_what_came_and_nothing_is_made_but_programs_and_entries()
    {
        using var fixture = Chained();
        var answer = await fixture.Run(Add());
        Assert.Equal(Result.Trim(), answer.GetProperty("result").GetRawText());
        Assert.Equal(["create", "attach", "publish"], fixture.Node.Steps);
        var record = fixture.Store.Find(Key)!;
        Assert.Equal(["10.9.0.7", "fd00:9::7"], record.Addresses);
        Assert.Equal((Host, true, "02:00:00:00:00:22"), (record.Foreign, record.Ready, Abi.MacAddr.FromBytes(record.PodMac).ToString()));
        Assert.All(fixture.Store.Usage, u => Assert.Equal(0, u.InUse));
        await fixture.Run(Add());
        Assert.Single(fixture.Store.All);
    }

    [Theory]
    [InlineData(
        "0.3.0",
        """{"cniVersion":"0.3.0","interfaces":[{"name":"eth0","sandbox":"/ns/a"}],"ips":"""
        + """[{"version":"4","interface":0,"address":"10.9.0.7/24"}]}""")]
    [InlineData("0.2.0", """{"cniVersion":"0.2.0","ip4":{"ip":"10.9.0.7/24","gateway":"10.9.0.1"}}""")]
    [InlineData(
        "1.0.0",
        """{"CNIVersion":"1.0.0","Interfaces":[{"Name":"eth0","Sandbox":"/ns/a"}],"IPs":[{"Interface":0,"Address":"10.9.0.7/24"}]}""")]
    public async Task Whatever_version_and_spelling_the_others_result_has(string version, string result)
    {
        using var fixture = Chained();
        var answer = await fixture.Run(CniFixture.Request("ADD", version: version, extra: $",\"prevResult\":{result}"));
        Assert.Equal(result, answer.GetProperty("result").GetRawText());
        Assert.Equal(["10.9.0.7"], fixture.Store.Find(Key)!.Addresses);
    }

    [Fact]
    public async Task It_is_checked_adopted_and_deleted_as_ours_are()
    {
        using var fixture = Chained();
        await fixture.Run(Add());
        await fixture.Run(CniFixture.Request("CHECK", extra: $",\"prevResult\":{Result}"));
        fixture.Restart(adopt: true);
        Assert.Equal(2, fixture.Node.Entries.Count);
        await fixture.Run("DEL");
        Assert.True(fixture.Node.Empty);
        Assert.Empty(fixture.Files);
        Assert.Equal("{}", (await fixture.Run(CniFixture.Request("STATUS", version: "1.1.0"))).GetRawText());
    }

    [Theory]
    [InlineData("attach")]
    [InlineData("publish")]
    public async Task A_failed_ADD_leaves_nothing(string step)
    {
        using var fixture = Chained();
        (fixture.Node.FailAt, fixture.Node.FailAfterEffect) = (step, true);
        Assert.Equal(CniErrorCode.Internal, (await fixture.Fails(Add())).Code);
        Assert.Empty(fixture.Node.Programs);
        Assert.Empty(fixture.Node.Entries);
        Assert.Empty(fixture.Files);
    }

    [Fact]
    public async Task An_address_that_the_other_plugin_gives_again_is_the_new_pods()
    {
        using var fixture = Chained();
        await fixture.Run(Add());
        fixture.Node.Foreign["/ns/b"] = (Host with { HostName = "veth2" }, "02:00:00:00:00:33");
        await fixture.Run(Add("c2", "/ns/b"));
        fixture.Restart();
        Assert.Equal(2, fixture.Store.All.Count);
    }

    [Fact]
    public async Task Without_a_result_before_it_or_an_interface_it_says_so()
    {
        using var fixture = Chained();
        Assert.Contains("prevResult", (await fixture.Fails(CniFixture.Request("ADD"))).Message, StringComparison.Ordinal);
        fixture.Node.Foreign.Clear();
        Assert.Contains("there is no eth0", (await fixture.Fails(Add())).Message, StringComparison.Ordinal);
        Assert.Empty(fixture.Files);
    }

    [Fact]
    public async Task An_interface_without_addresses_is_left_alone()
    {
        using var fixture = Chained();
        await fixture.Run(CniFixture.Request("ADD", extra: ",\"prevResult\":{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/ns/a\"}]}"));
        Assert.Empty(fixture.Files);
        await fixture.Run("DEL");
    }

    private static CniFixture Chained()
    {
        // No podCIDR is needed; none is waited for.
        var fixture = new CniFixture { Chained = true };
        fixture.Restart();
        fixture.Node.Foreign["/ns/a"] = (Host, "02:00:00:00:00:22");
        return fixture;
    }

    private static CniRequest Add(string container = CniFixture.Container, string netns = "/ns/a") =>
        CniFixture.Request("ADD", container, netns, extra: $",\"prevResult\":{Result.Trim()}");
}
