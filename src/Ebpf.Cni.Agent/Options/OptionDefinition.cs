using System.Text;

namespace Ebpf.Cni.Agent.Options;

/// <summary>One option: its names in all three sources derive from one.</summary>
/// <param name="Name">As on the command line, without the dashes: node-name.</param>
/// <param name="Value">What stands for the value in the help: NAME.</param>
/// <param name="Default">In text, as a user would write it; "" for none.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Apply">Sets the value from text; throws FormatException with what is expected.</param>
public sealed record OptionDefinition(
    string Name, string Value, string Default, string Help, Func<AgentOptions, string, AgentOptions> Apply)
{
    public const string EnvironmentPrefix = "EBPF_CNI_";

    /// <summary>The option's former name, accepted with a warning for one release; "" for none.</summary>
    public string FormerName { get; init; } = "";

    /// <summary>The value of the Helm chart that sets the option; "" for an option that the chart fixes.</summary>
    public string ChartValue { get; init; } = "agent." + JsonNameOf(Name);

    public string Switch => SwitchOf(Name);

    /// <summary>EBPF_CNI_NODE_NAME.</summary>
    public string EnvironmentVariable => EnvironmentVariableOf(Name);

    /// <summary>nodeName.</summary>
    public string JsonName => JsonNameOf(Name);

    public static string SwitchOf(string name) => "--" + name;

    public static string EnvironmentVariableOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return EnvironmentPrefix + name.ToUpperInvariant().Replace('-', '_');
    }

    public static string JsonNameOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var text = new StringBuilder(name.Length);
        foreach (var word in name.Split('-'))
            text.Append(text.Length == 0 ? word[0] : char.ToUpperInvariant(word[0])).Append(word.AsSpan(1));
        return text.ToString();
    }
}
