using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Install;

/// <summary>
/// Reads an object of a specification member by member, and lists in the end the members that were not read: an unknown member is
/// refused, because a field that is silently ignored is an invisible difference to a real node.
/// </summary>
internal sealed class Fields
{
    private readonly JsonObject _json;
    private readonly string _path;
    private readonly List<string> _problems;
    private readonly HashSet<string> _read = [];

    public Fields(JsonObject json, string path, List<string> problems)
    {
        _json = json;
        _path = path;
        _problems = problems;
    }

    public string? Text(string name) => Value(name, node => node.Text(), "text");

    /// <summary>A member that there must be.</summary>
    public string Required(string name)
    {
        var text = Text(name);
        if (string.IsNullOrEmpty(text))
            _problems.Add($"{Of(name)} is missing");
        return text ?? "";
    }

    public bool? Flag(string name) => Value<bool?>(name, node => node.Flag(), "true or false");

    public long? Number(string name) => Value<long?>(name, node => node.Number(), "a number");

    public IReadOnlyList<string> Texts(string name) =>
        Value(name, node => node is JsonArray list && list.All(item => item.Text() is not null)
            ? list.Select(item => item.Text()!).ToList() : null, "a list of texts") ?? [];

    public IEnumerable<KeyValuePair<string, string>> Pairs(string name) => Value(name, node => node as JsonObject, "a map").Pairs();

    /// <summary>The member as it is, whatever it is: null, text or number.</summary>
    public JsonNode? Raw(string name)
    {
        _read.Add(name);
        return _json[name];
    }

    /// <summary>Null where there is none.</summary>
    public Fields? Child(string name) => Value(name, node => node as JsonObject, "an object") is { } child
        ? new Fields(child, Of(name), _problems) : null;

    public IReadOnlyList<Fields> Children(string name)
    {
        var list = Value(name, node => node is JsonArray items && items.All(item => item is JsonObject) ? items : null, "a list of objects")
            ?? [];
        return [.. list.Select((item, at) => new Fields((JsonObject)item!, $"{Of(name)}[{item.Text("name") ?? $"{at}"}]", _problems))];
    }

    /// <summary>These are understood, and mean nothing to a sandbox.</summary>
    public void WithoutMeaning(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            _read.Add(name);
    }

    /// <summary>The member is there and has a value for which the sandbox has no equal.</summary>
    public void Refuse(string name, string why) => _problems.Add($"{Of(name)}: {why}");

    /// <summary>Whatever has not been asked for is a problem.</summary>
    public void End()
    {
        foreach (var (name, value) in _json)
            if (value is not null && !_read.Contains(name))
                _problems.Add($"{Of(name)} is a field that the sandbox does not understand");
    }

    private string Of(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    private T? Value<T>(string name, Func<JsonNode, T?> read, string what)
    {
        _read.Add(name);
        if (_json[name] is not { } node)
            return default;
        var value = read(node);
        if (value is null)
            _problems.Add($"{Of(name)} is not {what}");
        return value;
    }
}
