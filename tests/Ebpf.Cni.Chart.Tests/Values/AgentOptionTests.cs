using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>The chart and the agent mean the same: names, defaults, and what may be.</summary>
public sealed partial class AgentOptionTests
{
    public static TheoryData<string> Names() => Variants.NamesWithAgents();

    private static IEnumerable<OptionDefinition> Values => OptionTable.All.Where(o => !FixedOptions.Reasons.ContainsKey(o.Name));

    [Fact]
    public void Every_option_is_a_value_or_fixed_for_a_reason()
    {
        Assert.Equal(Values.Select(o => o.JsonName).Order(StringComparer.Ordinal),
            ValuesFile.Agent.Select(v => v.Key).Order(StringComparer.Ordinal));
        Assert.Empty(FixedOptions.Reasons.Keys.Except(OptionTable.All.Select(o => o.Name)));
    }

    /// <summary>What the agent's log says of an option is what the page says.</summary>
    [Fact]
    public void Options_name_the_value_that_sets_them() => Assert.All(OptionTable.All, o => Assert.Equal(
        FixedOptions.Reasons.TryGetValue(o.Name, out var reason)
            ? (ValuePattern().Match(reason).Groups["value"].Value, o.Name)
            : ("agent." + o.JsonName, o.Name),
        (o.ChartValue, o.Name)));

    [Fact]
    public void Defaults_are_the_agents() =>
        Assert.All(Values, o => Assert.Equal((o.JsonName, o.Default), (o.JsonName, Text(ValuesFile.Agent[o.JsonName]!))));

    [Fact]
    public void Comments_are_the_agents_help() => Assert.All(
        Values,
        o => Assert.Equal(
            SwitchPattern().Replace(o.Help, m => OptionTable.All.Single(n => n.Switch == m.Value).JsonName),
            ValuesFile.Lines.Single(l => l.Path == "agent." + o.JsonName).Comment));

    [Fact]
    public void Choices_are_the_agents_and_each_is_accepted()
    {
        var choices = Values.Where(o => Schema.Agent(o.JsonName).Choices is not null).ToList();
        Assert.True(choices.Count >= 7);
        Assert.All(choices, o => Assert.All(Schema.Agent(o.JsonName).Choices!, c => Assert.True(Accepts(o, c), $"{o.Name}: {c}")));
        // as the help has them: full|hostOnly|off, or in words
        Assert.All(
            choices,
            o => Assert.Equal(o.Value.Contains('|', StringComparison.Ordinal)
                ? o.Value.Split('|') : WordPattern().Matches(o.Help).Select(m => m.Value), Schema.Agent(o.JsonName).Choices!));
        Assert.Empty(Values.Where(o => o.Value.Contains('|', StringComparison.Ordinal) && IsChoice(o)
            && Schema.Agent(o.JsonName).Choices is null).Select(o => o.Name));
    }

    [Fact]
    public void Limits_are_the_agents()
    {
        var numbers = Values.Where(o => Schema.Agent(o.JsonName).Minimum is not null).ToList();
        Assert.True(numbers.Count >= 20);
        Assert.All(numbers, o =>
        {
            var (least, most) = (Schema.Agent(o.JsonName).Minimum!.Value, Schema.Agent(o.JsonName).Maximum!.Value);
            Assert.Equal((true, true, false, false),
                (Accepts(o, $"{least}"), Accepts(o, $"{most}"), Accepts(o, $"{least - 1}"), Accepts(o, $"{most + 1}")));
        });
    }

    /// <summary>Between 1 and 1279 it is a number to the parser, and refused with all other options.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(1279, false)]
    [InlineData(1280, true)]
    public void So_is_that_of_the_MTU(int mtu, bool good) =>
        Assert.Equal(good, !OptionsCheck.Errors(new AgentOptions { Mtu = mtu }).Any(e => e.StartsWith("--mtu", StringComparison.Ordinal)));

    [Theory]
    [InlineData("metricsAddress", "0.0.0.0:1", true)]
    [InlineData("metricsAddress", "[::]:65535", true)]
    [InlineData("metricsAddress", "::1:10249", false)]
    [InlineData("metricsAddress", "127.0.0.1:0", false)]
    [InlineData("healthzAddress", "localhost:10256", false)]
    [InlineData("nodeportAddresses", "primary", true)]
    [InlineData("nodeportAddresses", "10.0.0.0/8, fd00::/64,192.168.0.0/16", true)]
    [InlineData("nodeportAddresses", "10.0.0.1", false)]
    [InlineData("nodeportAddresses", "primary,10.0.0.0/8", false)]
    [InlineData("masqueradeExempt", "", true)]
    [InlineData("masqueradeExempt", "10.0.0.0/8", true)]
    [InlineData("masqueradeExempt", "everything", false)]
    [InlineData("uplinks", "auto", true)]
    [InlineData("uplinks", "eth*, bond0.5", true)]
    [InlineData("uplinks", "a/b", false)]
    [InlineData("uplinks", "a-name-much-too-long", false)]
    [InlineData("uplinks", "", false)]
    public void Texts_are_judged_alike(string value, string text, bool good)
    {
        var option = OptionTable.All.Single(o => o.JsonName == value);
        Assert.Equal((good, good), (Accepts(option, text), Schema.Agent(value).Takes(text)));
    }

    [Fact]
    public void What_the_schema_refuses_the_agent_refuses()
    {
        // all of it is text to the agent: 17 may well be the name of a device
        var refused = from o in Values
                      let place = Schema.Agent(o.JsonName)
                      from wrong in WrongValues.Of(place)
                      where place.Type != "string" || wrong.Value[0] == '"'
                      select (Option: o, Text: Text(JsonNode.Parse(wrong.Value)!));
        Assert.Equal([], from r in refused where Accepts(r.Option, r.Text) select $"{r.Option.Name}: {r.Text}");
    }

    [Theory, MemberData(nameof(Names))]
    public async Task Whatever_is_rendered_the_agent_reads_without_an_error(string variant)
    {
        var manifest = await Variants.RenderAsync(variant);
        var read = Read(manifest, manifest.AgentJson);
        Assert.Empty(read.Errors);
        // what the machine lacks is no matter here
        Assert.DoesNotContain(
            OptionsCheck.Errors(read.Options),
            e => e.StartsWith("--mtu", StringComparison.Ordinal) || e.StartsWith("--run-dir", StringComparison.Ordinal)
            || e.StartsWith("--metrics", StringComparison.Ordinal));
        Assert.NotEmpty(Read(manifest, manifest.AgentJson.Replace("\"mtu\"", "\"mtus\"", StringComparison.Ordinal)).Errors);
        Assert.All(
            manifest.Agent.Env.Concat(manifest.Prepare.Env)
                .Where(e => e.Name.StartsWith(OptionDefinition.EnvironmentPrefix, StringComparison.Ordinal)),
            e => Assert.Contains(OptionTable.All, o => o.EnvironmentVariable == e.Name));
    }

    [Fact]
    public async Task Profiles_and_values_arrive()
    {
        var full = Read(await Variants.RenderAsync(Variants.Full));
        Assert.Equal((CniMode.Full, "node-1", "/host/proc/sys/net"), (full.CniMode, full.NodeName, full.SysctlRoot));
        Assert.Equal(CniMode.Chained, Read(await Variants.RenderAsync(Variants.Chained)).CniMode);
        var off = Read(await Variants.RenderAsync("every switch off"));
        Assert.False(off.LocalhostNodePorts || off.ExternalIPs || off.Masquerade || off.BindGuard || off.DropLog);
        Assert.Equal((1280, 0, TimeSpan.Zero), (off.Mtu, off.ServiceMetrics, off.IpReuseDelay));
        Assert.Equal(TimeSpan.FromSeconds(7), Read(await Variants.RenderAsync("former names")).IpReuseDelay);
        var texts = Read(await Variants.RenderAsync("texts of the agent"));
        Assert.Equal((2, 1, 2, LogFormat.Json),
            (texts.NodePortAddresses.Length, texts.MasqueradeExempt.Length, texts.Uplinks.Length, texts.LogFormat));
    }

    private static AgentOptions Read(Manifest manifest) => Read(manifest, manifest.AgentJson).Options;

    /// <summary>As the container starts it.</summary>
    private static OptionsRead Read(Manifest manifest, string json)
    {
        var environment = manifest.Agent.Env.ToDictionary(
            e => e.Name, e => e.ValueFrom?.FieldRef?.FieldPath == "spec.nodeName" ? "node-1" : e.Value);
        return OptionsReader.Read(
            [.. manifest.Agent.Command.Skip(1)],
            environment.GetValueOrDefault,
            file => file == "/etc/ebpf-cni/agent.json" ? json : throw new FileNotFoundException(file));
    }

    private static bool IsChoice(OptionDefinition option) =>
        option.Value != "true|false" && option.Value.Split('|').All(v => v.Any(char.IsLower));

    private static string Text(JsonNode value) => value.GetValueKind() switch
    {
        System.Text.Json.JsonValueKind.True => "true",
        System.Text.Json.JsonValueKind.False => "false",
        _ => value.ToString(),
    };

    private static bool Accepts(OptionDefinition option, string text)
    {
        try
        {
            option.Apply(new AgentOptions(), text);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    [GeneratedRegex("^`(?<value>[^`]+)`$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ValuePattern();

    [GeneratedRegex("--[a-z-]+")]
    private static partial Regex SwitchPattern();

    [GeneratedRegex(@"\b(?!or\b)[a-z]+\b")]
    private static partial Regex WordPattern();
}
