using System.Text.Json;

namespace Ebpf.Cni.Agent.Options;

/// <summary>What the three sources gave.</summary>
/// <param name="Options">Complete with defaults; of use only when there is no error.</param>
/// <param name="Errors">One sentence each, naming the option as it was written.</param>
/// <param name="Warnings">One sentence each: former names of options that were used.</param>
/// <param name="HelpWanted">--help was given.</param>
/// <param name="VersionWanted">--version was given.</param>
public sealed record OptionsRead(
    AgentOptions Options, IReadOnlyList<string> Errors, IReadOnlyList<string> Warnings, bool HelpWanted, bool VersionWanted);

/// <summary>Defaults, then the file named by --config, then the environment, then the command line; collects all errors.</summary>
public static class OptionsReader
{
    private const string ConfigSwitch = "--config";

    /// <param name="args">The command line: --name value or --name=value.</param>
    /// <param name="environment">A variable's value; null or "" is unset.</param>
    /// <param name="readFile">A file's text; may throw IOException or UnauthorizedAccessException.</param>
    public static OptionsRead Read(IReadOnlyList<string> args, Func<string, string?> environment, Func<string, string> readFile)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(readFile);
        var (errors, warnings) = (new List<string>(), new List<string>());
        var commandLine = CommandLine(args, errors);
        var options = new AgentOptions();
        foreach (var option in OptionTable.All)
            if (option.Default.Length > 0)
                options = option.Apply(options, option.Default);

        var file = commandLine.GetValueOrDefault(ConfigSwitch) ?? environment(OptionDefinition.EnvironmentPrefix + "CONFIG");
        var fromFile = string.IsNullOrEmpty(file) ? [] : ReadConfig(file, readFile, errors);
        foreach (var option in OptionTable.All)
        {
            var (value, source, name) = Given(option);
            if (value is null)
                continue;
            if (name != option.Name)
                warnings.Add($"{source}: deprecated, use {option.Switch}; the former name is accepted until the next release");
            try
            {
                options = option.Apply(options, value);
            }
            catch (FormatException e)
            {
                errors.Add($"{source}: '{value}': {e.Message}");
            }
        }

        return new OptionsRead(options, errors, warnings, commandLine.ContainsKey("--help"), commandLine.ContainsKey("--version"));

        (string? Value, string Source, string Name) Given(OptionDefinition option)
        {
            foreach (var name in Named(option))
                if (commandLine.TryGetValue(OptionDefinition.SwitchOf(name), out var text))
                    return (text, OptionDefinition.SwitchOf(name), name);
            foreach (var name in Named(option))
                if (environment(OptionDefinition.EnvironmentVariableOf(name)) is { Length: > 0 } variable)
                    return (variable, OptionDefinition.EnvironmentVariableOf(name), name);
            foreach (var name in Named(option))
                if (fromFile.TryGetValue(OptionDefinition.JsonNameOf(name), out var member))
                    return (member, $"\"{OptionDefinition.JsonNameOf(name)}\" in {file}", name);
            return (null, "", option.Name);
        }
    }

    private static IEnumerable<string> Named(OptionDefinition option) =>
        option.FormerName.Length > 0 ? [option.Name, option.FormerName] : [option.Name];

    private static bool Exists(Func<string, string> spelling, string name) =>
        OptionTable.All.Any(o => Named(o).Any(n => spelling(n) == name));

    private static Dictionary<string, string> CommandLine(IReadOnlyList<string> args, List<string> errors)
    {
        var values = new Dictionary<string, string>();
        for (var i = 0; i < args.Count; i++)
        {
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? args[i] : args[i][..equals];
            if (name is "--help" or "-h" or "--version")
                values[name == "-h" ? "--help" : name] = "";
            else if (name != ConfigSwitch && !Exists(OptionDefinition.SwitchOf, name))
                errors.Add($"{name}: no such option");
            else if (equals >= 0)
                Add(name, args[i][(equals + 1)..]);
            else if (i + 1 == args.Count || args[i + 1].StartsWith("--", StringComparison.Ordinal))
                errors.Add($"{name}: a value is missing");
            else
                Add(name, args[++i]);
        }

        return values;

        void Add(string name, string value)
        {
            if (!values.TryAdd(name, value))
                errors.Add($"{name}: given twice");
        }
    }

    private static Dictionary<string, string> ReadConfig(string file, Func<string, string> readFile, List<string> errors)
    {
        var values = new Dictionary<string, string>();
        try
        {
            using var document = JsonDocument.Parse(
                readFile(file), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new JsonException("a JSON object is expected");
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (!Exists(OptionDefinition.JsonNameOf, member.Name))
                    errors.Add($"\"{member.Name}\" in {file}: no such option");
                else if (member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True
                    or JsonValueKind.False)
                    values[member.Name] = member.Value.ValueKind is JsonValueKind.String
                        ? member.Value.GetString()! : member.Value.GetRawText();
                else
                    errors.Add($"\"{member.Name}\" in {file}: a string, a number, true or false is expected");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            errors.Add($"{ConfigSwitch} {file}: {e.Message}");
        }

        return values;
    }
}
