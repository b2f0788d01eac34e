using System.Globalization;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli;

/// <summary>What to do.</summary>
public enum Verb
{
    Help,
    Version,
    Status,
    ServiceList,
    ServiceGet,
    EndpointList,
    ConntrackList,
    IpcacheList,
    Probe,
}

/// <summary>A command line, understood. Options may stand anywhere.</summary>
public sealed record CommandLine
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    public Verb Verb { get; init; }
    public bool Json { get; init; }
    public string RunDirectory { get; init; } = ObservePaths.DefaultRunDirectory;

    /// <summary>NAMESPACE/NAME of service get, HOST:PORT of probe.</summary>
    public string Subject { get; init; } = "";

    /// <summary>Null: as many as the agent lists by itself.</summary>
    public int? Limit { get; init; }

    public string? Namespace { get; init; }
    public string? Client { get; init; }
    public string? Service { get; init; }
    public TimeSpan Timeout { get; init; } = ProbeTimeout;

    /// <exception cref="CliException">It is wrong; the message says how.</exception>
    public static CommandLine Parse(IReadOnlyList<string> arguments, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(variable);
        var line = new CommandLine { RunDirectory = variable("EBPF_CNI_RUN_DIR") is { Length: > 0 } directory ? directory : ObservePaths.DefaultRunDirectory };
        var (words, given) = (new List<string>(), new List<string>());
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (!argument.StartsWith('-'))
            {
                words.Add(argument);
                continue;
            }

            var (name, value) = Split(argument);
            if (name is "-h" or "--help")
                return line with { Verb = Verb.Help };
            if (name is "--version")
                return line with { Verb = Verb.Version };
            value ??= ++i < arguments.Count ? arguments[i] : throw CliException.Usage($"{name}: a value is missing");
            line = line.With(name, value);
            given.Add(name);
        }

        line = line.Of(words);
        foreach (var name in given.Where(n => !line.Takes(n)))
            throw CliException.Usage($"{name} is not an option of {string.Join(' ', words.Take(2))}");
        return line;
    }

    private static (string Name, string? Value) Split(string argument)
    {
        if (argument.StartsWith("--", StringComparison.Ordinal))
            return argument.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (argument[..at], argument[(at + 1)..]) : (argument, null);
        // -ojson, as kubectl takes it too
        return argument.Length > 2 ? (argument[..2], argument[2..].TrimStart('=')) : (argument, null);
    }

    private CommandLine With(string name, string value) => name switch
    {
        "-o" or "--output" => this with { Json = OutputIsJson(value) },
        "--run-dir" => this with { RunDirectory = value.Length > 0 ? value : throw CliException.Usage("--run-dir: a value is missing") },
        "--limit" => this with { Limit = LimitOf(value) },
        "-n" or "--namespace" => this with { Namespace = value },
        "--client" => this with { Client = value },
        "--service" => this with { Service = IsName(value) ? value : throw CliException.Usage($"--service: '{value}' is not NAMESPACE/NAME") },
        "--timeout" => this with { Timeout = Seconds(value) },
        _ => throw CliException.Usage($"{name}: no such option"),
    };

    private CommandLine Of(List<string> words)
    {
        var (verb, taken) = words switch
        {
            [] => throw CliException.Usage("a command is missing"),
            ["help", ..] => (Verb.Help, words.Count),
            ["version"] => (Verb.Version, 1),
            ["status", ..] => (Verb.Status, 1),
            ["service", "list", ..] => (Verb.ServiceList, 2),
            ["service", "get", ..] => (Verb.ServiceGet, 2),
            ["endpoint", "list", ..] => (Verb.EndpointList, 2),
            ["conntrack", "list", ..] => (Verb.ConntrackList, 2),
            ["ipcache", "list", ..] => (Verb.IpcacheList, 2),
            ["ipcache"] => (Verb.IpcacheList, 1),
            ["probe", ..] => (Verb.Probe, 1),
            ["service" or "endpoint" or "conntrack" or "ipcache", var verbWord, ..] => throw CliException.Usage($"{words[0]} {verbWord}: no such command"),
            ["service" or "endpoint" or "conntrack"] => throw CliException.Usage($"{words[0]}: list{(words[0] == "service" ? " or get" : "")} is missing"),
            _ => throw CliException.Usage($"{words[0]}: no such command"),
        };
        var rest = words[taken..];
        var subjects = verb is Verb.ServiceGet or Verb.Probe ? 1 : 0;
        if (rest.Count > subjects)
            throw CliException.Usage($"{rest[subjects]}: one word too many");
        if (rest.Count < subjects)
            throw CliException.Usage(verb == Verb.Probe ? "probe: HOST:PORT is missing" : "service get: NAMESPACE/NAME is missing");
        var subject = subjects == 1 ? rest[0] : "";
        if (verb == Verb.ServiceGet)
        {
            subject = subject.Contains('/', StringComparison.Ordinal) ? subject : $"{Namespace ?? "default"}/{subject}";
            if (!IsName(subject))
                throw CliException.Usage($"service get: '{subject}' is not NAMESPACE/NAME");
        }

        if (verb == Verb.Probe)
            _ = Probe.Split(subject);
        return this with { Verb = verb, Subject = subject };
    }

    private bool Takes(string option) => option switch
    {
        "--limit" => Verb is Verb.ServiceList or Verb.EndpointList or Verb.ConntrackList or Verb.IpcacheList,
        "-n" or "--namespace" => Verb is Verb.ServiceList or Verb.ServiceGet or Verb.EndpointList,
        "--client" or "--service" => Verb == Verb.ConntrackList,
        "--timeout" => Verb == Verb.Probe,
        _ => true,
    };

    private static bool OutputIsJson(string value) => value switch
    {
        "json" => true,
        "table" => false,
        _ => throw CliException.Usage($"-o: '{value}' is neither table nor json"),
    };

    private static int LimitOf(string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= ObservePaths.LimitMost
            ? limit
            : throw CliException.Usage($"--limit: '{value}' is not a number from 1 to {ObservePaths.LimitMost}");

    private static TimeSpan Seconds(string value) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= 3600
            ? TimeSpan.FromSeconds(seconds)
            : throw CliException.Usage($"--timeout: '{value}' is not a number of seconds");

    private static bool IsName(string text) => text.Split('/') is [{ Length: > 0 }, { Length: > 0 }];
}
