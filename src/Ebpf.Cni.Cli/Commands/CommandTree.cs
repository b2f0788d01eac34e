using System.CommandLine;
using System.CommandLine.Help;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>The commands, which are the same under every name of the program.</summary>
internal sealed class CommandTree
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    private readonly IFace _face;
    private readonly NarrowingOptions _narrowing = new();
    private readonly Option<string> _output = new("--output", "-o")
    {
        Description = "table, or json with all that tables leave out", HelpName = "FORMAT", Recursive = true,
    };

    /// <param name="face">Under which name.</param>
    /// <param name="further">Commands of this face alone.</param>
    /// <param name="terminal">Where it writes.</param>
    public CommandTree(IFace face, IReadOnlyList<Command> further, Terminal terminal)
    {
        _face = face;
        _output.CompletionSources.Add("table", "json");
        _output.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: not ("table" or "json") } other])
                result.AddError($"-o: '{other.Value}' is neither table nor json");
        });
        Root = new RootCommand(face.Description) { HelpName = face.Name };
        Root.Options.Clear();
        var help = new HelpOption("--help", "-h") { Description = "help for a command", Action = new HelpScreen(face, terminal) };
        foreach (var option in (IEnumerable<Option>)[_output, .. _narrowing.All, .. face.Options, VersionOption(), help])
            Root.Options.Add(option);
        Command[] commands =
            [Status(), Service(), Endpoint(), Conntrack(), Ipcache(), Probe(), .. further, new HelpCommand(Root), Version()];
        foreach (var command in commands)
            Root.Subcommands.Add(command);
    }

    public RootCommand Root { get; }

    /// <summary>The option that was given to a command that does not take it; null if all are taken.</summary>
    public string? Misplaced(ParseResult parsed)
    {
        var taken = parsed.CommandResult.Command.Options;
        var given = _narrowing.All.Where(o => !taken.Contains(o)).Select(parsed.GetResult).FirstOrDefault(r => r is { Implicit: false });
        return given?.IdentifierToken?.Value;
    }

    /// <summary>An option of another command.</summary>
    public bool IsOption(string name) => _narrowing.All.Any(o => o.Name == name || o.Aliases.Contains(name));

    private Command Status() => Asking(
        new Command("status", "a node at a glance; exit code 1 if the agent is not ready"),
        (r, json, _, ct) => r.AnswerAsync(AgentInquiries.Status, json, ct));

    private Command Service()
    {
        var name = new Argument<string>("NAMESPACE/NAME") { Description = "the Service; without a namespace, --namespace counts" };
        return Group(
            "service", "service list, service get NAMESPACE/NAME: frontends in the kernel, and one Service with its backends",
            Asking(
                new Command("list", "frontends in the kernel") { _narrowing.Namespace, _narrowing.Limit },
                (r, json, parsed, ct) => r.AnswerAsync(AgentInquiries.ServiceList(_narrowing.Of(parsed)), json, ct)),
            Asking(
                new Command("get", "one Service: its frontends and their backends") { name, _narrowing.Namespace },
                async (r, json, parsed, ct) =>
                {
                    var full = await NameAsync(r, parsed, name, ct).ConfigureAwait(false);
                    return await r.AnswerAsync(AgentInquiries.Service(full), json, ct).ConfigureAwait(false);
                }));
    }

    private Command Endpoint() => Group(
        "endpoint", "endpoint list: pods' interfaces on the node",
        Asking(
            new Command("list", "pods' interfaces on the node") { _narrowing.Namespace, _narrowing.Limit },
            (r, json, parsed, ct) => r.AnswerAsync(AgentInquiries.EndpointList(_narrowing.Of(parsed)), json, ct)));

    private Command Conntrack() => Group(
        "conntrack", "conntrack list: connections that are translated packet by packet",
        Asking(
            new Command("list", "connections that are translated packet by packet")
            {
                _narrowing.Client, _narrowing.Service, _narrowing.Limit,
            },
            (r, json, parsed, ct) => r.AnswerAsync(AgentInquiries.ConntrackList(_narrowing.Of(parsed)), json, ct)));

    /// <summary>The only listing that needs no verb.</summary>
    private Command Ipcache()
    {
        const string description = "what destinations are: pods, nodes, exempt from masquerading";
        return Listing(Group("ipcache", $"ipcache list: {description}", Listing(new Command("list", description) { _narrowing.Limit })));

        Command Listing(Command command) =>
            Asking(command, (r, json, parsed, ct) => r.AnswerAsync(AgentInquiries.IpcacheList(_narrowing.Of(parsed)), json, ct));
    }

    private Command Probe()
    {
        var target = new Argument<string>("HOST:PORT") { Description = "a name or address, and a port; [ADDRESS]:PORT for IPv6" };
        var command = new Command("probe", "probe HOST:PORT: resolves, opens a TCP connection, prints the time; needs no agent")
        {
            target, _narrowing.Timeout,
        };
        return Asking(command, (r, json, parsed, ct) =>
        {
            var text = parsed.GetRequiredValue(target);
            _ = ProbeTarget.Parse(text);
            return r.ProbeAsync(text, parsed.GetValue(_narrowing.Timeout) ?? ProbeTimeout, json, ct);
        });
    }

    private static Option<bool> VersionOption() => new("--version")
    {
        Description = "the release of this program", Recursive = true, Action = new VersionAction(),
    };

    private static Command Version() => new("version", "the release of this program") { Action = new VersionAction() };

    /// <summary>Options of its members may stand before them.</summary>
    private static Command Group(string name, string description, params Command[] members)
    {
        var group = new Command(name, description);
        foreach (var member in members)
            group.Subcommands.Add(member);
        foreach (var option in members.SelectMany(m => m.Options).Distinct())
            group.Options.Add(option);
        return group;
    }

    private Command Asking(Command command, Func<IRespondent, bool, ParseResult, CancellationToken, Task<int>> ask)
    {
        command.SetAction((parsed, cancel) => ask(_face.Respondent(parsed), parsed.GetValue(_output) == "json", parsed, cancel));
        return command;
    }

    private async Task<string> NameAsync(IRespondent respondent, ParseResult parsed, Argument<string> argument, CancellationToken cancel)
    {
        var text = parsed.GetRequiredValue(argument);
        var name = text.Contains('/', StringComparison.Ordinal)
            ? text
            : $"{parsed.GetValue(_narrowing.Namespace) ?? await respondent.NamespaceAsync(cancel).ConfigureAwait(false)}/{text}";
        return NarrowingOptions.IsName(name) ? name : throw CliException.Usage($"service get: '{name}' is not NAMESPACE/NAME");
    }
}
