using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>Options that some commands take. They may stand before the command, too, as kubectl's users type them.</summary>
internal sealed class NarrowingOptions
{
    public Option<int?> Limit { get; } = new("--limit")
    {
        Description = "most lines of a list (1000; conntrack 100)", HelpName = "N", CustomParser = LimitOf,
    };

    public Option<string> Namespace { get; } = new("--namespace", "-n")
    {
        Description = "the namespace of Services or pods", HelpName = "NAMESPACE",
    };

    public Option<string> Client { get; } = new("--client")
    {
        Description = "connections of this client: an address, or a pod of the node", HelpName = "ADDRESS|NAMESPACE/POD",
    };

    public Option<string> Service { get; } = new("--service")
    {
        Description = "connections of this Service", HelpName = "NAMESPACE/NAME", CustomParser = ServiceOf,
    };

    public Option<TimeSpan?> Timeout { get; } = new("--timeout")
    {
        Description = "for name and connection together, in seconds (5)", HelpName = "SECONDS", CustomParser = Seconds.Of,
    };

    public IReadOnlyList<Option> All => [Limit, Namespace, Client, Service, Timeout];

    public Narrowing Of(ParseResult parsed) =>
        new(parsed.GetValue(Limit), parsed.GetValue(Namespace), parsed.GetValue(Client), parsed.GetValue(Service));

    /// <summary>NAMESPACE/NAME: two words.</summary>
    public static bool IsName(string text) => text.Split('/') is [{ Length: > 0 }, { Length: > 0 }];

    private static int? LimitOf(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            && limit is > 0 and <= ObservePaths.LimitMost)
            return limit;
        result.AddError($"--limit: '{text}' is not a number from 1 to {ObservePaths.LimitMost}");
        return null;
    }

    private static string? ServiceOf(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (IsName(text))
            return text;
        result.AddError($"--service: '{text}' is not NAMESPACE/NAME");
        return null;
    }
}
