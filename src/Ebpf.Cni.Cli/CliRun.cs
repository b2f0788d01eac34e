using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli;

/// <summary>One run, as the executable does it.</summary>
public static class CliRun
{
    public static string Version { get; } =
        typeof(CliRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <returns>The exit code.</returns>
    public static async Task<int> ExecuteAsync(IReadOnlyList<string> arguments, Func<string, string?> variable, Terminal terminal)
    {
        ArgumentNullException.ThrowIfNull(terminal);
        try
        {
            var line = CommandLine.Parse(arguments, variable);
            return await RunAsync(line, terminal).ConfigureAwait(false);
        }
        catch (CliException e)
        {
            await terminal.Error.WriteLineAsync($"ecni: {e.Message}").ConfigureAwait(false);
            if (e.ExitCode == ExitCodes.Usage)
                await terminal.Error.WriteLineAsync("ecni help lists commands and options").ConfigureAwait(false);
            return e.ExitCode;
        }
    }

    private static Task<int> RunAsync(CommandLine line, Terminal terminal)
    {
        var json = ObserveJson.Wire;
        return line.Verb switch
        {
            Verb.Help => PrintAsync(Usage.Text, terminal),
            Verb.Version => PrintAsync(Version + "\n", terminal),
            Verb.Status => AskAsync(line, ObservePaths.Status, json.StatusAnswer, a => StatusText.Of(a, Version, terminal.Width), a => a.Ready, terminal),
            Verb.ServiceList => AskAsync(line, Query(ObservePaths.Services, line), json.ServicesAnswer, ServiceText.Of, _ => true, terminal),
            Verb.ServiceGet => AskAsync(line, $"{ObservePaths.Services}/{Escaped(line.Subject)}", json.ServiceAnswer, a => ServiceText.Of(a, terminal.Width), _ => true, terminal),
            Verb.EndpointList => AskAsync(line, Query(ObservePaths.Endpoints, line), json.EndpointsAnswer, TableText.Of, _ => true, terminal),
            Verb.ConntrackList => AskAsync(line, Query(ObservePaths.Conntrack, line), json.ConntrackAnswer, TableText.Of, _ => true, terminal),
            Verb.IpcacheList => AskAsync(line, Query(ObservePaths.Ipcache, line), json.IpcacheAnswer, TableText.Of, _ => true, terminal),
            _ => Probe.RunAsync(line, terminal, TimeProvider.System),
        };
    }

    private static async Task<int> PrintAsync(string text, Terminal terminal)
    {
        await terminal.Out.WriteAsync(text).ConfigureAwait(false);
        return ExitCodes.Good;
    }

    private static async Task<int> AskAsync<T>(
        CommandLine line, string path, JsonTypeInfo<T> type, Func<T, string> text, Func<T, bool> good, Terminal terminal) where T : class
    {
        using var agent = new AgentConnection(line.RunDirectory);
        var body = await agent.GetAsync(path).ConfigureAwait(false);
        T answer;
        try
        {
            answer = JsonSerializer.Deserialize(body, type) ?? throw new JsonException("null");
        }
        catch (JsonException)
        {
            throw CliException.Failed("the agent's answer cannot be read: is it another version? (-o json, curl --unix-socket)");
        }

        await terminal.Out.WriteAsync(line.Json ? body : text(answer)).ConfigureAwait(false);
        return good(answer) ? ExitCodes.Good : ExitCodes.Failed;
    }

    private static string Query(string path, CommandLine line)
    {
        var parts = new List<string>();
        Add("limit", line.Limit?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add("namespace", line.Namespace);
        Add("client", line.Client);
        Add("service", line.Service);
        return parts.Count == 0 ? path : $"{path}?{string.Join('&', parts)}";

        void Add(string name, string? value)
        {
            if (value is not null)
                parts.Add($"{name}={Uri.EscapeDataString(value)}");
        }
    }

    private static string Escaped(string name) => string.Join('/', name.Split('/').Select(Uri.EscapeDataString));
}
