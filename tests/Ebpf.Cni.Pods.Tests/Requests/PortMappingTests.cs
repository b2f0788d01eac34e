using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>hostPorts: from the runtime's request to the compiler's input, and back out at DEL.</summary>
public class PortMappingTests
{
    private const string Web = """{"hostPort":8080,"containerPort":80,"protocol":"TCP"}""";

    [Fact]
    public async Task They_are_kept_with_the_endpoint_and_go_with_it()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add($"{Web},{Web},{{\"hostPort\":53,\"containerPort\":5353,\"protocol\":\"udp\",\"hostIP\":\"192.0.2.1\"}}"));
        Assert.Equal(1, fixture.HostPorts.Waits);
        fixture.Restart(adopt: true);
        var (ports, issues) = HostPortTable.Of(fixture.Store.All);
        Assert.Empty(issues);
        Assert.Equal(
            [
                new("default/web", null, 8080, IpProtocol.Tcp, Addr.Parse("10.1.0.2"), 80),
                new("default/web", null, 8080, IpProtocol.Tcp, Addr.Parse("fd00:1::2"), 80),
                new("default/web", Addr.Parse("192.0.2.1"), 53, IpProtocol.Udp, Addr.Parse("10.1.0.2"), 5353),
            ],
            ports);
        await fixture.Run("DEL");
        Assert.Empty(HostPortTable.Of(fixture.Store.All).Ports);
    }

    [Fact]
    public async Task The_unspecified_address_is_every_one_of_its_family()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add("""{"hostPort":1,"containerPort":2,"protocol":"sctp","hostIP":"0.0.0.0"},{"hostPort":3,"containerPort":4,"hostIP":"::"}"""));
        Assert.Equal(
            [
                new("default/web", null, 1, IpProtocol.Sctp, Addr.Parse("10.1.0.2"), 2),
                new("default/web", null, 3, IpProtocol.Tcp, Addr.Parse("fd00:1::2"), 4),
            ],
            HostPortTable.Of(fixture.Store.All).Ports);
    }

    [Fact]
    public async Task The_first_keeps_a_port_that_two_ask_for_and_the_second_is_named()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run(Add(Web, "c1"));
        await fixture.Run(Add("""{"hostPort":8080,"containerPort":81,"hostIP":"192.0.2.1"},{"hostPort":8081,"containerPort":81}""", "c2"));
        var (ports, issues) = HostPortTable.Of(fixture.Store.All);
        Assert.Equal([(ushort)8080, (ushort)8081], ports.Select(p => p.Port));
        var issue = Assert.Single(issues);
        Assert.Equal(("Pod", "HostPortConflict", "u-1"), (issue.Kind, issue.Reason, issue.Uid));
        Assert.Contains("8080/TCP is used by pod default/web", issue.Message, StringComparison.Ordinal);
        await fixture.Run("DEL", "c1");
        (ports, issues) = HostPortTable.Of(fixture.Store.All);
        Assert.Equal(Addr.Parse("192.0.2.1"), ports.Single(p => p.Port == 8080).HostAddress);
        Assert.Empty(issues);
    }

    [Fact]
    public async Task Other_protocols_addresses_and_families_are_no_conflict()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add("""{"hostPort":80,"containerPort":1,"hostIP":"192.0.2.1"},{"hostPort":81,"containerPort":1,"hostIP":"0.0.0.0"}""", "c1"));
        await fixture.Run(Add("""{"hostPort":80,"containerPort":1,"hostIP":"192.0.2.2"},{"hostPort":80,"containerPort":1,"protocol":"UDP"},{"hostPort":81,"containerPort":1,"hostIP":"::"}""", "c2"));
        Assert.Empty(HostPortTable.Of(fixture.Store.All).Issues);
    }

    [Fact]
    public async Task A_failed_ADD_leaves_none_and_a_repeated_one_takes_the_new_ones()
    {
        using var fixture = new CniFixture();
        fixture.Node.FailAt = "connect";
        await fixture.Fails(Add(Web));
        Assert.Empty(HostPortTable.Of(fixture.Store.All).Ports);
        fixture.Node.FailAt = null;
        await fixture.Run(Add(Web));
        await fixture.Run(Add("""{"hostPort":9090,"containerPort":80}"""));
        Assert.All(HostPortTable.Of(fixture.Store.All).Ports, p => Assert.Equal(9090, p.Port));
    }

    [Fact]
    public async Task containerd_spells_them_in_its_own_way()
    {
        using var fixture = new CniFixture();
        await fixture.Run(Add("""{"HostPort":54330,"ContainerPort":8080,"Protocol":"udp","HostIP":""}"""));
        Assert.Equal(new PortMapping(54330, 8080, "udp", ""), Assert.Single(Assert.Single(fixture.Store.All).PortMappings));
    }

    [Theory]
    [InlineData("""{"hostPort":0,"containerPort":80}""", "hostPort")]
    [InlineData("""{"hostPort":0,"HostPort":80,"containerPort":80}""", "hostPort")]
    [InlineData("""{"hostPort":80}""", "containerPort")]
    [InlineData("""{"hostPort":80,"\ud800":80}""", "containerPort")]
    [InlineData("""{"hostPort":80,"containerPort":65536}""", "containerPort")]
    [InlineData("""{"hostPort":"80","containerPort":80}""", "hostPort")]
    [InlineData("""{"hostPort":80,"containerPort":80,"protocol":"icmp"}""", "icmp")]
    [InlineData("""{"hostPort":80,"containerPort":80,"hostIP":"1"}""", "hostIP")]
    [InlineData("""{"hostPort":80,"containerPort":80,"hostIP":"\ud800"}""", "hostIP")]
    [InlineData("7", "object")]
    public async Task What_is_wrong_is_told_and_nothing_is_made(string mapping, string what)
    {
        using var fixture = new CniFixture();
        var error = Assert.Throws<CniException>(() => Add(mapping));
        Assert.Equal(CniErrorCode.InvalidNetworkConfig, error.Code);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        await fixture.Run("ADD");
        Assert.Equal(0, fixture.HostPorts.Waits);
    }

    [Fact]
    public async Task The_sync_loop_hears_of_them_and_an_ADD_waits_until_it_has_applied_them()
    {
        using var fixture = new CniFixture();
        var state = new NodeState(fixture.Store, new SyncOptions("n1"), fixture.Time);
        // Nothing is applied yet: nobody waits.
        await state.AppliedAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        var before = state.View(null);
        state.Applied(before);
        Assert.Same(before.Context, state.View(null).Context);
        Assert.False(state.Changed.IsCompleted);

        await fixture.Run(Add(Web));
        Assert.True(state.Changed.IsCompleted);
        var waiting = state.AppliedAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        state.Applied(before);
        Assert.False(waiting.IsCompleted);
        var view = state.View(null);
        Assert.Equal(2, view.Context.HostPorts.Length);
        state.Applied(view);
        await waiting;

        await fixture.Run(Add("""{"hostPort":9090,"containerPort":80}""", "c2"));
        var late = state.AppliedAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        fixture.Time.Advance(TimeSpan.FromSeconds(3));
        await late;
    }

    private static CniRequest Add(string mappings, string container = CniFixture.Container) =>
        CniFixture.Request("ADD", container, extra: $",\"runtimeConfig\":{{\"portMappings\":[{mappings}]}}");
}
