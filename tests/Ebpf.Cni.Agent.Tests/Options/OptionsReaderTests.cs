using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;

namespace Ebpf.Cni.Agent.Tests.Options;

/// <summary>Three sources, one table, all errors at once.</summary>
public class OptionsReaderTests
{
    [Fact]
    public void Defaults_are_the_tables_and_every_option_has_its_own_names()
    {
        var read = Read([]);
        Assert.Empty(read.Errors);
        Assert.Equal("127.0.0.1:10249", read.Options.MetricsAddress.ToString());
        Assert.Equal((0u, 1000u), (read.Options.ServiceTableSize, read.Options.RefusalRate));
        Assert.Equal(CtTimeouts.Default, read.Options.ConntrackTimeouts);
        Assert.Equal(OptionTable.All.Count, OptionTable.All.Select(o => o.JsonName).Distinct().Count());
        Assert.All(OptionTable.All, o => Assert.Contains(o.Switch, OptionsHelp.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Sizes_are_the_memorys_unless_an_option_sets_them()
    {
        var sizes = TableSizes.For(4L << 30);
        var computed = NodeDataplaneOptions.From(Read([]).Options, sizes);
        Assert.Equal(
            (sizes.Services, sizes.Backends, sizes.ConntrackTcp, sizes.ConntrackOther, sizes.SocketFlows),
            (computed.ServiceTableSize, computed.BackendTableSize, computed.ConntrackTcpMax, computed.ConntrackOtherMax,
                computed.SocketFlowsMax));
        Assert.Equal(
            (sizes.Endpoints, sizes.Affinity, sizes.SourceRanges, sizes.Stats, sizes.Ipcache),
            (computed.EndpointTableSize, computed.AffinityTableSize, computed.SourceRangeTableSize, computed.StatTableSize,
                computed.IpcacheTableSize));
        Assert.Equal((1000u, 1000u), (computed.RefusalRate, computed.DropRecordRate));

        var read = Read(["--conntrack-tcp-max", "7", "--socket-flows-max=9", "--refusal-rate", "0", "--drop-record-rate", "5"]);
        Assert.Empty(read.Errors);
        var given = NodeDataplaneOptions.From(read.Options, sizes);
        Assert.Equal((7u, sizes.ConntrackOther, 9u), (given.ConntrackTcpMax, given.ConntrackOtherMax, given.SocketFlowsMax));
        Assert.Equal((0u, 5u), (given.RefusalRate, given.DropRecordRate));
        Assert.Equal(4, Read(["--conntrack-tcp-max", "536870913", "--conntrack-other-max=-1", "--refusal-rate", "1000001",
            "--stat-table-size", "many"]).Errors.Count);
    }

    [Fact]
    public void A_former_name_is_accepted_in_every_source_with_a_warning_and_the_present_one_wins()
    {
        var delay = TimeSpan.FromSeconds(7);
        OptionsRead[] former =
        [
            Read(["--address-rest", "7"]), Read([], new() { ["EBPF_CNI_ADDRESS_REST"] = "7" }),
            Read(["--config", "/c.json"], [], """{"addressRest":7}"""),
        ];
        Assert.All(former, read =>
        {
            Assert.Empty(read.Errors);
            Assert.Equal(delay, read.Options.IpReuseDelay);
            Assert.Contains("--ip-reuse-delay", Assert.Single(read.Warnings), StringComparison.Ordinal);
        });
        var present = Read(["--ip-reuse-delay", "7", "--address-rest", "8"]);
        Assert.Equal((delay, 0), (present.Options.IpReuseDelay, present.Warnings.Count));
        Assert.NotEmpty(Read(["--address-rest", "never"]).Errors);
    }

    [Fact]
    public void Names_of_choices_may_have_digits_and_numbers_are_none()
    {
        Assert.Equal(TunnelUnderlay.IPv6, Read(["--tunnel-underlay", "ipv6"]).Options.TunnelUnderlay);
        Assert.NotEmpty(Read(["--tunnel-underlay", "2"]).Errors);
        Assert.NotEmpty(Read(["--routing", "auto,tunnel"]).Errors);
    }

    [Fact]
    public void The_command_line_wins_over_the_environment_and_that_over_the_file()
    {
        var read = Read(
            ["--config", "/c.json", "--node-name=n1"],
            new() { ["EBPF_CNI_NODE_NAME"] = "n2", ["EBPF_CNI_SOCKET_LB"] = "off", ["EBPF_CNI_MTU"] = "" },
            """{"nodeName":"n3","socketLb":"full","mtu":1400,"dropLog":false /* comments are welcome */}""");
        Assert.Empty(read.Errors);
        Assert.Equal(("n1", SocketLbMode.Off, 1400, false),
            (read.Options.NodeName, read.Options.SocketLb, read.Options.Mtu, read.Options.DropLog));
    }

    [Fact]
    public void All_errors_come_at_once_each_with_the_name_as_it_was_written()
    {
        var read = Read(
            ["--config", "/c.json", "--no-such", "--mtu", "big", "--log-level", "loud", "--socket-lb", "1", "--node-name", "a",
                "--node-name", "b", "--run-dir"],
            new() { ["EBPF_CNI_METRICS_ADDRESS"] = "nowhere", ["EBPF_CNI_UNKNOWN_PORT"] = "80" },
            """{"cniParallel":0,"stranger":1,"stateDir":[]}""");
        string[] expected =
        [
            "--no-such: no such option", "--mtu: 'big'", "--log-level: 'loud'", "--socket-lb: '1'", "--node-name: given twice",
            "--run-dir: a value is missing", "EBPF_CNI_METRICS_ADDRESS: 'nowhere'", "\"cniParallel\" in /c.json: '0'",
            "\"stranger\" in /c.json: no such option", "\"stateDir\" in /c.json: a string",
        ];
        Assert.Equal(expected.Length, read.Errors.Count);
        Assert.All(expected, e => Assert.Contains(read.Errors, found => found.StartsWith(e, StringComparison.Ordinal)));
    }

    [Fact]
    public void What_services_need_is_read_and_defaults_are_kube_proxys()
    {
        var defaults = Read([]).Options;
        Assert.Empty(defaults.NodePortAddresses);
        Assert.Empty(defaults.Uplinks);
        Assert.Equal((true, true, true, true, false),
            (defaults.LocalhostNodePorts, defaults.ExternalIPs, defaults.Masquerade, defaults.BindGuard, defaults.CleanupKubeProxy));
        Assert.Equal(ExternalSource.Masquerade, defaults.ExternalSource);

        var read = Read(
            ["--nodeport-addresses", "10.0.0.0/8, fd00::/64", "--uplinks=eth*,bond0.5", "--external-source", "keep", "--socket-lb",
                "hostOnly",
             "--masquerade-exempt", "192.168.0.0/16", "--conntrack-udp", "7", "--conntrack-tcp-close-wait", "60"]);
        Assert.Empty(read.Errors);
        Assert.Equal([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/64")], read.Options.NodePortAddresses);
        Assert.Equal(["eth*", "bond0.5"], read.Options.Uplinks);
        Assert.Equal((ExternalSource.Keep, SocketLbMode.HostOnly), (read.Options.ExternalSource, read.Options.SocketLb));
        Assert.Equal([IPNetwork.Parse("192.168.0.0/16")], read.Options.MasqueradeExempt);
        Assert.Equal(CtTimeouts.Default with { Udp = 7, CloseWait = 60 }, read.Options.ConntrackTimeouts);
    }

    [Theory]
    [InlineData("--nodeport-addresses", "10.0.0.1")]
    [InlineData("--nodeport-addresses", "primary,10.0.0.0/8")]
    [InlineData("--masquerade-exempt", "10.0.0.0/33")]
    [InlineData("--external-source", "0")]
    [InlineData("--socket-lb", "half")]
    [InlineData("--uplinks", "a/b")]
    [InlineData("--uplinks", "a-name-much-too-long")]
    [InlineData("--conntrack-udp", "0")]
    [InlineData("--service-metrics", "-1")]
    public void What_is_wrong_with_them_is_told(string option, string value) =>
        Assert.StartsWith($"{option}: '{value}'", Assert.Single(Read([$"{option}={value}"]).Errors), StringComparison.Ordinal);

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    public void A_file_that_is_none_is_an_error(string content) =>
        Assert.StartsWith("--config /c.json:", Assert.Single(Read(["--config", "/c.json"], [], content).Errors), StringComparison.Ordinal);

    [Fact]
    public void A_missing_file_is_an_error() =>
        Assert.StartsWith(
            "--config /nonexistent:", Assert.Single(OptionsReader.Read(["--config", "/nonexistent"], _ => null, File.ReadAllText).Errors),
            StringComparison.Ordinal);

    [Fact]
    public void What_the_machine_lacks_is_told_all_at_once()
    {
        var options = Read(["--node-name", "Bad_Name", "--run-dir", "/" + new string('x', 120), "--state-dir", "relative", "--cgroup-root",
            "/tmp",
            "--kubeconfig", "/nonexistent", "--bpf-objects", "/nonexistent", "--mtu", "600", "--healthz-address",
            "127.0.0.1:10249"]).Options;
        var errors = OptionsCheck.Errors(options).ToList();
        Assert.All(
            ["--node-name", "--run-dir", "--state-dir", "--cgroup-root", "--kubeconfig", "--bpf-objects", "--mtu", "--metrics-address"],
            name => Assert.Contains(errors, e => e.StartsWith(name, StringComparison.Ordinal)));
    }

    private static OptionsRead Read(string[] args, Dictionary<string, string>? environment = null, string file = "{}") =>
        OptionsReader.Read(args, (environment ?? []).GetValueOrDefault, _ => file);
}
