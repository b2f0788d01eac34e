using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Agent.Options;
using Serilog;

namespace Ebpf.Cni.Agent.Tests.Options;

/// <summary>How the settings that a message names are set.</summary>
public class OptionHintTests
{
    [Theory]
    [InlineData("Raise the backend-table-size option.", " [--backend-table-size; in the chart agent.backendTableSize]")]
    [InlineData("the agent needs the cni-mode option set to chained", " [--cni-mode; in the chart profile]")]
    [InlineData("the bpf-objects option must name the directory", " [--bpf-objects]")]
    [InlineData("the uplinks option, the mtu option and the uplinks option",
        " [--uplinks; in the chart agent.uplinks] [--mtu; in the chart agent.mtu]")]
    [InlineData("no such-thing option, no setting", "")]
    public void Each_setting_is_named_once_with_its_switch_and_its_value_in_the_chart(string message, string hint) =>
        Assert.Equal(hint, OptionHint.Of(message));

    [Fact]
    public void Warnings_in_the_log_and_in_the_status_have_it()
    {
        var errors = new RecentErrors();
        using var log = new LoggerConfiguration().Enrich.With(new OptionHintEnricher()).WriteTo.Sink(errors).CreateLogger();
        log.Warning("no uplink; set the {Setting} option", "uplinks");
        log.Warning("nothing is set");
        Assert.Equal(
            ["nothing is set", "no uplink; set the uplinks option [--uplinks; in the chart agent.uplinks]"],
            errors.All.Select(e => e.Message));
    }
}
